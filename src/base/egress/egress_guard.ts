// The egress guard against server-side request forgery. It checks every outbound connection.

import { lookup } from "node:dns/promises";
import {
  type AddressClass,
  classify,
  embeddedIpv4,
  type IpAddress,
  type IpNetwork,
  parseAddress,
  parseNetwork,
} from "./egress_guard_address.ts";
import { reasonOf, SluiceError } from "../errors.ts";

/** The SSRF_* settings under their names in `Config`. */
export interface EgressRules {
  readonly ssrfProtectionEnabled: boolean;
  readonly ssrfAllowLocalhost: boolean;
  readonly ssrfAllowPrivateNetworks: boolean;
  readonly ssrfAllowedNetworks: readonly string[];
  readonly ssrfBlockedNetworks: readonly string[];
  readonly ssrfBlockedHosts: readonly string[];
  readonly ssrfDnsFailClosed: boolean;
}

/** Resolves a host name to IP addresses. Rejects if the name has none. */
export type Resolve = (host: string) => Promise<readonly string[]>;

const CLASS_WORDS: Readonly<Record<Exclude<AddressClass, "public">, string>> = {
  "loopback": "a loopback address",
  "private": "a private address",
  "shared": "a shared (carrier-grade NAT) address",
  "reserved": "a reserved address",
  "link-local": "a link-local address",
  "metadata": "a cloud metadata address",
  "multicast": "a multicast address",
  "broadcast": "the broadcast address",
  "unspecified": "the unspecified address",
};

export class EgressGuard {
  readonly #rules: EgressRules;
  readonly #allowed: readonly IpNetwork[];
  readonly #blocked: readonly IpNetwork[];
  readonly #blockedHosts: ReadonlySet<string>;

  /** @throws {TypeError} if a network of the rules is malformed */
  constructor(rules: EgressRules) {
    this.#rules = rules;
    this.#allowed = rules.ssrfAllowedNetworks.map(readNetwork);
    this.#blocked = rules.ssrfBlockedNetworks.map(readNetwork);
    this.#blockedHosts = new Set(rules.ssrfBlockedHosts.map(canonicalHost));
  }

  /**
   * Checks whether the gateway may connect to an address.
   * @param target names the address in the error text: a host, or a URL without its query
   * @throws {SluiceError} EGRESS_DENIED, with the kind of address and the setting that would allow it
   */
  checkAddress(target: string, ip: string): void {
    const address = parseAddress(ip);
    if (address === null) throw denied(target, "its address cannot be read");
    const fault = this.#faultOf(address);
    if (fault !== null) throw denied(target, `${ip} ${fault}`);
  }

  /**
   * Checks whether the gateway may connect to a URL. A connection that is opened later must check its address again, because
   * the name may resolve to another one by then.
   * @param resolve null: a proxy resolves the name, and only a literal address is checked
   * @returns the checked addresses; none if the name does not resolve and SSRF_DNS_FAIL_CLOSED is false
   * @throws {SluiceError} EGRESS_DENIED. The text does not show the URL's query and credentials
   */
  async checkUrl(url: string | URL, resolve: Resolve | null = resolveHost): Promise<readonly string[]> {
    const parsed = typeof url === "string" ? URL.parse(url) : url;
    if (parsed === null) throw new SluiceError("EGRESS_DENIED", { reason: "refused: not a valid URL" });
    if (!/^(https?|wss?):$/.test(parsed.protocol)) {
      throw denied(parsed.protocol, "only http, https, ws and wss are allowed");
    }
    const target = shownUrl(parsed);
    if (parsed.username !== "" || parsed.password !== "") {
      throw denied(target, "a URL must not hold a user name or password; give credentials as authentication");
    }
    const host = canonicalHost(parsed.hostname);
    if (this.#rules.ssrfProtectionEnabled && this.#blockedHosts.has(host)) {
      throw denied(target, `SSRF_BLOCKED_HOSTS refuses "${host}"`);
    }
    const isLiteral = parseAddress(host) !== null;
    if (!isLiteral && resolve === null) return [];
    const addresses = isLiteral ? [host] : await this.#resolve(target, host, resolve!);
    for (const ip of addresses) this.checkAddress(target, ip);
    return addresses;
  }

  async #resolve(target: string, host: string, resolve: Resolve): Promise<readonly string[]> {
    let addresses: readonly string[] = [];
    let cause: unknown = new Error("no address");
    try {
      addresses = await resolve(host);
    } catch (error) {
      cause = error;
    }
    if (addresses.length === 0 && this.#rules.ssrfProtectionEnabled && this.#rules.ssrfDnsFailClosed) {
      const reason = `the name "${host}" cannot be resolved: ${reasonOf(cause)}`;
      throw denied(
        target,
        `${reason}. Correct the name; if only a proxy can resolve it, set PROXY_RESOLVES_NAMES=true`,
      );
    }
    return addresses;
  }

  /** The reason for a refusal; null if the address is allowed. */
  #faultOf(address: IpAddress): string | null {
    const kind = classify(address);
    // These are refused even with SSRF_PROTECTION_ENABLED=false. They give credentials away, and no upstream is there.
    if (kind === "metadata" || kind === "link-local") return never(kind);
    if (!this.#rules.ssrfProtectionEnabled) return null;
    const blocking = findNetwork(this.#blocked, address);
    if (blocking !== undefined) return `is in ${blocking.text}, which SSRF_BLOCKED_NETWORKS refuses`;
    switch (kind) {
      case "public":
        return null;
      case "loopback":
        return this.#rules.ssrfAllowLocalhost ? null : allowable(kind, "SSRF_ALLOW_LOCALHOST=true");
      case "private":
      case "shared":
        return this.#rules.ssrfAllowPrivateNetworks || findNetwork(this.#allowed, address) !== undefined
          ? null
          : allowable(kind, "SSRF_ALLOW_PRIVATE_NETWORKS=true, or its network in SSRF_ALLOWED_NETWORKS,");
      case "reserved":
        return findNetwork(this.#allowed, address) !== undefined
          ? null
          : allowable(kind, "its network in SSRF_ALLOWED_NETWORKS");
      default:
        return never(kind);
    }
  }
}

/** Resolves a name as the system does, including the hosts file. */
export async function resolveHost(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function allowable(kind: Exclude<AddressClass, "public">, settings: string): string {
  return `is ${CLASS_WORDS[kind]} (${settings} would allow it)`;
}

function never(kind: Exclude<AddressClass, "public">): string {
  return `is ${CLASS_WORDS[kind]}, which is never allowed`;
}

function denied(target: string, why: string): SluiceError {
  return new SluiceError("EGRESS_DENIED", { reason: `refused "${target}": ${why}` });
}

/**
 * Lower case, without brackets, and without trailing dots (the DNS root). The expression looks at each run of dots once: a host
 * name may have thousands.
 */
function canonicalHost(host: string): string {
  return host.toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/(?<!\.)\.+$/, "");
}

function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`.slice(0, 200);
}

function findNetwork(networks: readonly IpNetwork[], address: IpAddress): IpNetwork | undefined {
  const ipv4 = embeddedIpv4(address);
  return networks.find((network) => network.contains(address) || (ipv4 !== null && network.contains(ipv4)));
}

function readNetwork(text: string): IpNetwork {
  const network = parseNetwork(text);
  if (network === null) throw new TypeError(`not a network: ${text}`);
  return network;
}
