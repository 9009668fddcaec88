// Which upstreams are reached through a proxy, and through which: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.
import { type IpNetwork, parseAddress, parseNetwork } from "../../base/egress_guard_address.ts";
import { SluiceError } from "../../base/errors.ts";

export interface Proxy {
  /** The setting that names the proxy. Error texts show it instead of the address, which is not the caller's business. */
  readonly setting: string;
  /** The proxy itself is spoken to over TLS. */
  readonly tls: boolean;
  readonly hostname: string;
  readonly port: number;
  /** The value of `proxy-authorization`; null if the proxy's URL has no user name. */
  readonly authorization: string | null;
  /** PEM certificates that a proxy over TLS is trusted by, besides the system's. */
  readonly caCertificates: string | undefined;
  /** PROXY_RESOLVES_NAMES: the proxy is given names of upstreams, and not addresses that the gateway has checked. */
  readonly resolvesNames: boolean;
}

export interface ProxySettings {
  readonly httpProxy: string | null;
  readonly httpsProxy: string | null;
  readonly allProxy: string | null;
  readonly noProxy: readonly string[];
  readonly proxyResolvesNames: boolean;
}

/** What decides on the proxy of a request. */
export interface Destination {
  readonly tls: boolean;
  /** Without brackets. */
  readonly hostname: string;
  readonly port: number;
}

export class Proxies {
  readonly #plain: Proxy | null;
  readonly #tls: Proxy | null;
  readonly #exceptions: readonly ((host: string, port: number) => boolean)[];

  /**
   * @param caCertificates the text of PROXY_SSL_CA_CERTS
   * @throws {SluiceError} SETTINGS_INVALID for a proxy that does not speak HTTP
   */
  constructor(settings: ProxySettings, caCertificates?: string) {
    const { httpProxy, httpsProxy, allProxy, noProxy, proxyResolvesNames: resolvesNames } = settings;
    const own = { caCertificates, resolvesNames };
    const fallback = allProxy === null ? null : { setting: "ALL_PROXY", url: allProxy };
    const plain = httpProxy === null ? fallback : { setting: "HTTP_PROXY", url: httpProxy };
    const tls = httpsProxy === null ? fallback : { setting: "HTTPS_PROXY", url: httpsProxy };
    this.#plain = plain === null ? null : { ...own, ...readProxy(plain) };
    this.#tls = tls === null ? null : { ...own, ...readProxy(tls) };
    // Some write spaces where others write commas.
    this.#exceptions = noProxy.flatMap((entry) => entry.split(/\s+/)).map(readException);
  }

  /** Is there a proxy for URLs of https and wss? */
  get hasTlsProxy(): boolean {
    return this.#tls !== null;
  }

  /** Is the host's name resolved by a proxy, and not by the gateway? */
  resolveNameOf(url: URL): boolean {
    return this.for(destinationOf(url))?.resolvesNames ?? false;
  }

  /** The proxy on the way to an upstream; null: the upstream is connected to directly. */
  for({ tls, hostname, port }: Destination): Proxy | null {
    const proxy = tls ? this.#tls : this.#plain;
    if (proxy === null) return null;
    const host = hostname.toLowerCase().replace(/\.$/, "");
    return this.#exceptions.some((covers) => covers(host, port)) ? null : proxy;
  }
}

function destinationOf(url: URL): Destination {
  const tls = url.protocol === "https:" || url.protocol === "wss:";
  const port = url.port === "" ? (tls ? 443 : 80) : Number(url.port);
  return { tls, hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"), port };
}

function readProxy(
  { setting, url }: { setting: string; url: string },
): Omit<Proxy, "caCertificates" | "resolvesNames"> {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    // Not the URL itself: it may hold a password.
    const mistake = `${setting} must be an http or https URL; the gateway speaks to no other kind of proxy`;
    throw new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { data: [mistake] });
  }
  const tls = parsed.protocol === "https:";
  const { username, password } = parsed;
  return {
    setting,
    tls,
    hostname: parsed.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: parsed.port === "" ? (tls ? 443 : 80) : Number(parsed.port),
    authorization: username === "" && password === "" ? null : basic(username, password),
  };
}

function basic(username: string, password: string): string {
  const bytes = new TextEncoder().encode(`${decode(username)}:${decode(password)}`);
  return `Basic ${bytes.toBase64()}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * One entry of NO_PROXY: `*`; an address or a network; a host name, which covers its subdomains too. Any but `*` and a network
 * may end in `:port`. Addresses and networks cover literal addresses only: names are not resolved for this.
 */
function readException(entry: string): (host: string, port: number) => boolean {
  if (entry === "*") return () => true;
  const network = parseNetwork(entry);
  if (network !== null) return (host) => isIn(host, network);
  const [, name, ownPort] = /^(.*?)(?::(\d+))?$/.exec(entry)!;
  const isPort = (port: number) => ownPort === undefined || Number(ownPort) === port;
  const address = parseNetwork(name!);
  if (address !== null) return (host, port) => isPort(port) && isIn(host, address);
  const domain = name!.toLowerCase().replace(/^\*?\./, "").replace(/\.$/, "");
  return (host, port) =>
    isPort(port) && parseAddress(host) === null && (host === domain || host.endsWith(`.${domain}`));
}

function isIn(host: string, network: IpNetwork): boolean {
  const address = parseAddress(host);
  return address !== null && network.contains(address);
}
