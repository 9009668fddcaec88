// The proxies in front of the gateway whose headers count, and the client behind them.
import { parseAddress, parseNetwork } from "./egress_guard_address.ts";

export class TrustedProxies {
  readonly #trustsAll: boolean;
  readonly #networks: readonly NonNullable<ReturnType<typeof parseNetwork>>[];

  /** @param networks TRUSTED_PROXY_NETWORKS: networks, or `*` for any address */
  constructor(networks: readonly string[]) {
    this.#trustsAll = networks.includes("*");
    this.#networks = networks.map(parseNetwork).filter((network) => network !== null);
  }

  /** @param from an IP address */
  has(from: string): boolean {
    if (this.#trustsAll) return true;
    const address = parseAddress(from);
    return address !== null && this.#networks.some((network) => network.contains(address));
  }

  /**
   * The address of the client: the last one in X-Forwarded-For that is no trusted proxy. A peer that is no trusted proxy is the client
   * itself, whatever its headers say.
   * @param peer the IP address of the connection
   */
  addressOf(headers: { get(name: string): string | null }, peer: string): string {
    const forwarded = headers.get("x-forwarded-for");
    if (forwarded === null) return peer;
    const way = [...forwarded.split(","), peer].map((each) => withoutMapping(each.trim()));
    const client = way.findLast((each) => !this.has(each)) ?? way[0];
    return parseAddress(client) === null ? peer : client;
  }

  /** The client as limits count it: its address, and for IPv6 its network. */
  clientOf(headers: { get(name: string): string | null }, peer: string): string {
    return networkOf(this.addressOf(headers, peer));
  }

  /**
   * Where the client sees the gateway: what a trusted proxy forwards of it, else what the request says.
   * @param peer the IP address of the connection
   * @returns the scheme without its colon, and the host with its port; neither is checked
   */
  originOf(
    { url, headers }: Pick<Request, "url" | "headers">,
    peer: string,
  ): { scheme: string; host: string } {
    const isTrusted = this.has(peer);
    const forwarded = (name: string) => isTrusted ? headers.get(name)?.split(",", 1)[0].trim() : undefined;
    const { protocol, host } = new URL(url);
    return {
      scheme: forwarded("x-forwarded-proto") ?? protocol.slice(0, -1),
      host: forwarded("x-forwarded-host") ?? headers.get("host") ?? host,
    };
  }
}

/** The IP address of the other end of a connection: the client's, or that of the nearest proxy. */
export function peerAddress({ remoteAddr: { hostname } }: { readonly remoteAddr: Deno.NetAddr }): string {
  return withoutMapping(hostname);
}

/** A dual-stack socket, also that of a proxy, gives IPv4 clients as `::ffff:192.0.2.1` (RFC 4291, section 2.5.5.2). */
export function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

/** An address as limits count it: for IPv6 its /64 network, in which a host may have any number of addresses. */
export function networkOf(client: string): string {
  if (!client.includes(":")) return client;
  const address = parseAddress(client);
  return address === null ? client : `${(address.bits >> 64n).toString(16)}::/64`;
}
