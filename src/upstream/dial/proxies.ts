// Selects the proxy for an upstream: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.
import { type IpNetwork, parseAddress, parseNetwork } from "../../base/egress/egress_guard_address.ts";
import { bare, isTls, portOf } from "../../base/egress/url_parts.ts";
import { SluiceError } from "../../base/errors.ts";

export interface Proxy {
  /** The setting that names the proxy. Error texts show it instead of the address, which callers need not know. */
  readonly setting: string;
  /** Whether the connection to the proxy uses TLS. */
  readonly tls: boolean;
  readonly hostname: string;
  readonly port: number;
  /** The value of `proxy-authorization`; null if the proxy's URL has no user name. */
  readonly authorization: string | null;
  /** PEM certificates of authorities for a proxy over TLS, besides the system's. */
  readonly caCertificates: string | undefined;
  /** PROXY_RESOLVES_NAMES: the proxy gets host names of upstreams instead of checked addresses. */
  readonly resolvesNames: boolean;
}

export interface ProxySettings {
  readonly httpProxy: string | null;
  readonly httpsProxy: string | null;
  readonly allProxy: string | null;
  readonly noProxy: readonly string[];
  readonly proxyResolvesNames: boolean;
}

/** The parts of a URL that decide on its proxy. */
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
    // Some programs separate the entries by spaces.
    this.#exceptions = noProxy.flatMap((entry) => entry.split(/\s+/)).map(readException);
  }

  /** Whether there is a proxy for https and wss URLs. */
  get hasTlsProxy(): boolean {
    return this.#tls !== null;
  }

  /** Whether a proxy resolves the host name of this URL. */
  resolveNameOf(url: URL): boolean {
    return this.for(destinationOf(url))?.resolvesNames ?? false;
  }

  /** The proxy for an upstream; null for a direct connection. */
  for({ tls, hostname, port }: Destination): Proxy | null {
    const proxy = tls ? this.#tls : this.#plain;
    if (proxy === null) return null;
    const host = hostname.toLowerCase().replace(/\.$/, "");
    return this.#exceptions.some((covers) => covers(host, port)) ? null : proxy;
  }
}

function destinationOf(url: URL): Destination {
  return { tls: isTls(url), hostname: bare(url.hostname), port: portOf(url) };
}

function readProxy(
  { setting, url }: { setting: string; url: string },
): Omit<Proxy, "caCertificates" | "resolvesNames"> {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    // The text does not show the URL, which may contain a password.
    const mistake = `${setting} must be an http or https URL; the gateway speaks to no other kind of proxy`;
    throw new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { data: [mistake] });
  }
  const { username, password } = parsed;
  return {
    setting,
    tls: isTls(parsed),
    hostname: bare(parsed.hostname),
    port: portOf(parsed),
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
 * Reads one entry of NO_PROXY: `*`, an address, a network, or a host name, which includes its subdomains. An address or a name
 * may end in `:port`. Addresses and networks apply to literal addresses only; names are not resolved for this.
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
