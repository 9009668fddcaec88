// From where an address can be reached: this machine, private networks, or everywhere.
import { classify, parseAddress } from "../../base/egress/egress_guard_address.ts";

/** `machine`: this machine alone. `network`: private networks too. `world`: a public address. */
export type Reach = "machine" | "network" | "world";

/** The widest reach of some addresses; texts that are no addresses do not count. */
export function reachOf(addresses: readonly string[]): Reach {
  const classes = addresses.flatMap((text) => {
    const address = parseAddress(text);
    return address === null ? [] : [classify(address)];
  });
  if (classes.includes("public")) return "world";
  // A zone of its own or a test network is no less a network. Interfaces have link-local addresses besides others.
  return classes.some((kind) => kind !== "loopback" && kind !== "link-local") ? "network" : "machine";
}

/** The addresses that a gateway with this HOST listens on. @param own the addresses of the machine's interfaces */
export async function listenAddresses(
  host: string,
  own: () => readonly string[],
  resolve: (name: string) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const address = parseAddress(host);
  if (address === null) return await resolve(host).catch(() => []);
  return classify(address) === "unspecified" ? own() : [host];
}
