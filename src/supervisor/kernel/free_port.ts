// Checks that no other program listens on the port. With `reusePort`, listening would silently share the port with it.
import { SluiceError } from "../../base/errors.ts";

/** @returns the port itself, or a free one for 0. @throws {SluiceError} CANNOT_LISTEN */
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
