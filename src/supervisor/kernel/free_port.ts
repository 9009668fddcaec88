// Is the port ours to take? `reusePort` would share it with a stranger instead of saying so.
import { SluiceError } from "../../base/errors.ts";

/** The port itself, or a free one for 0. @throws {SluiceError} CANNOT_LISTEN */
export function findFreePort(hostname: string, port: number): number {
  try {
    const probe = Deno.listen({ hostname, port });
    const { port: found } = probe.addr as Deno.NetAddr;
    probe.close();
    return found;
  } catch (cause) {
    const reason = cause instanceof Deno.errors.AddrInUse
      ? "another program listens there; choose another PORT, or end it"
      : cause instanceof Error
      ? cause.message
      : String(cause);
    throw new SluiceError("CANNOT_LISTEN", { hostname, port, reason }, { cause });
  }
}
