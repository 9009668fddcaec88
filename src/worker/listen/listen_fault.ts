// Why the gateway cannot listen at an address, and the remedy, in words.
import { reasonOf } from "../../base/errors.ts";

/** The reason of CANNOT_LISTEN. */
export function listenFault(error: unknown, { hostname, port }: { hostname: string; port: number }): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return "another program listens there. Stop that program, or choose another PORT";
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `the system lets only privileged programs listen on port ${port}. Choose a higher PORT, or grant the ` +
      "capability CAP_NET_BIND_SERVICE";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return `this machine does not have the address ${hostname}. Set HOST to an address of this machine, or to 0.0.0.0 ` +
      "for all of them";
  }
  if (/lookup address/.test(reasonOf(error))) {
    return `the name ${hostname} cannot be resolved. Set HOST to an address of this machine`;
  }
  return reasonOf(error);
}
