// Checks that no other program listens on the port. With `reusePort`, listening would silently share the port with it.
import { SluiceError } from "../../base/errors.ts";
import { listenFault } from "../../worker/listen/listen_fault.ts";

/** @returns the port itself, or a free one for 0. @throws {SluiceError} CANNOT_LISTEN */
export function findFreePort(hostname: string, port: number): number {
  try {
    const probe = Deno.listen({ hostname, port });
    const { port: found } = probe.addr as Deno.NetAddr;
    probe.close();
    return found;
  } catch (cause) {
    const reason = listenFault(cause, { hostname, port });
    throw new SluiceError("CANNOT_LISTEN", { hostname, port, reason }, { cause });
  }
}
