// Room `dial`: opens connections to upstreams, directly or through a proxy. The HTTP client and the WebSocket transport use it.
// Each address passes the egress check before the gateway, or a proxy on its behalf, connects to it. The certificate of the upstream is
// verified for the host name of the URL, not for the address of the connection.
import { isIP } from "node:net";
import { type CancelSignal, unlessAborted } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import { resolveHost } from "../../base/egress/egress_guard.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { Deadline, inTime } from "../resilience/deadline.ts";
import type { Proxy } from "./proxies.ts";
import type { Socket } from "./socket.ts";
import type { Target } from "./target.ts";
import {
  authoritiesIn,
  isAuthorityAsServer,
  startTls,
  startTlsPinned,
  startTlsWithin,
  tlsReason,
} from "./tls.ts";
import { openTunnel, TunnelRefused } from "./tunnel.ts";

export interface DialOptions {
  /** The limit for name resolution, connection, tunnel and TLS handshake together; HTTP_CLIENT_CONNECT_TIMEOUT. */
  readonly connectTimeoutMs: number;
  /** The egress check of one address. @throws {SluiceError} EGRESS_DENIED */
  readonly checkAddress: (hostname: string, ip: string, upstream: string) => void;
  readonly clock: Clock;
  /** Resolves a host name to IP addresses, in the order to try. Default: the system's resolver. */
  readonly resolve?: (hostname: string) => Promise<readonly string[]>;
  /** Opens a TCP connection; default: `Deno.connect`. */
  readonly connect?: (to: { hostname: string; port: number; signal: AbortSignal }) => Promise<Deno.TcpConn>;
}

/** The options of one connection. */
export interface DialRequest {
  /** The upstream's name, for error texts. */
  readonly upstream: string;
  /** Ends the attempt; its reason is thrown. */
  readonly signal?: CancelSignal;
  /** The protocols to offer over TLS (ALPN). */
  readonly alpnProtocols: readonly string[];
}

export interface Dialled {
  readonly socket: Socket;
  /** The checked address that the socket leads to; null if a proxy has resolved the name. */
  readonly ip: string | null;
}

/** The state of one call of `dial`. */
interface Attempt {
  readonly target: Target;
  readonly upstream: string;
  readonly signal: CancelSignal;
  /** Wall clock, ms. */
  readonly until: number;
  readonly options: DialOptions;
}

const PROXY_REMEDY = "name its authority in PROXY_SSL_CA_CERTS";

/** The minimum time for an address. A silent address leaves the rest to the next one. */
const MIN_TRY_MS = 500;

/** @throws {SluiceError} UPSTREAM_CONNECT_FAILED, UPSTREAM_TLS_FAILED, UPSTREAM_TIMEOUT, EGRESS_DENIED; the signal's reason */
export async function dial(target: Target, request: DialRequest, options: DialOptions): Promise<Dialled> {
  const { clock, connectTimeoutMs } = options;
  const { upstream, signal, alpnProtocols } = request;
  const deadline = new Deadline(connectTimeoutMs, "HTTP_CLIENT_CONNECT_TIMEOUT", clock.now());
  return await inTime(deadline, { upstream, phase: "connect", signal, clock }, async (giveUp) => {
    const attempt = { target, upstream, signal: giveUp, until: deadline.at, options };
    const connect = () => target.proxy === null ? direct(attempt) : throughProxy(target.proxy, attempt);
    const isPinned = withPinnedServer.has(target);
    const { conn, ip } = await connect();
    if (!target.tls) return { ip, socket: conn };
    try {
      return { ip, socket: await secure(conn, alpnProtocols, attempt, isPinned) };
    } catch (error) {
      if (isPinned || target.caCertificate === undefined || !isAuthorityAsServer(error)) throw error;
    }
    // The registered certificate may be the server's own.
    const again = await connect();
    const socket = await secure(again.conn, alpnProtocols, attempt, true);
    withPinnedServer.add(target);
    return { ip: again.ip, socket };
  });
}

/** Targets whose server has the registered certificate itself. Further connections need no first try. */
const withPinnedServer = new WeakSet<Target>();

interface Connected {
  readonly conn: Deno.TcpConn | Deno.TlsConn;
  readonly ip: string | null;
}

async function direct(attempt: Attempt): Promise<Connected> {
  const { target: { port } } = attempt;
  const connect = async (ip: string, signal: AbortSignal) => {
    check(ip, attempt);
    return { ip, conn: await connectTcp(ip, port, signal, attempt) };
  };
  const addresses = await addressesOfTarget(attempt);
  return await firstReached(addresses, attempt, connect, (error) => connectReason(error));
}

async function throughProxy(proxy: Proxy, attempt: Attempt): Promise<Connected> {
  const { target: { hostname, port, isIpLiteral, isForwarded } } = attempt;
  const isResolvedThere = proxy.resolvesNames && !isIpLiteral;
  if (isForwarded) {
    if (!isResolvedThere) check(hostname, attempt);
    return { conn: await connectToProxy(proxy, attempt), ip: isResolvedThere ? null : hostname };
  }
  const connect = async (address: string, signal: AbortSignal) => {
    if (!isResolvedThere) check(address, attempt);
    const conn = await connectToProxy(proxy, { ...attempt, signal });
    try {
      const authority = `${address.includes(":") ? `[${address}]` : address}:${port}`;
      await openTunnel(conn, authority, proxy.authorization, signal);
      return { conn, ip: isResolvedThere ? null : address };
    } catch (error) {
      conn.close();
      if (signal.aborted || isUnreachedByProxy(error)) throw error;
      throw connectFailed(attempt, tunnelReason(error, proxy, isResolvedThere), error);
    }
  };
  const addresses = isResolvedThere ? [hostname] : await addressesOfTarget(attempt);
  return await firstReached(
    addresses,
    attempt,
    connect,
    (error) => tunnelReason(error, proxy, isResolvedThere),
  );
}

/** Connects to the proxy without an egress check, because the operator has chosen it. */
async function connectToProxy(proxy: Proxy, attempt: Attempt): Promise<Deno.TcpConn | Deno.TlsConn> {
  const { signal } = attempt;
  const where = `the proxy of ${proxy.setting}`;
  const unresolved = (why: string) => `cannot resolve the name of ${where} (${why})`;
  const addresses = await addressesOf(proxy.hostname, attempt, unresolved);
  const tcp = await firstReached(
    addresses,
    attempt,
    (ip, signal) => connectTcp(ip, proxy.port, signal, attempt),
    (error) => `cannot reach ${where}: ${connectReason(error)}`,
  );
  if (!proxy.tls) return tcp;
  const { hostname, caCertificates: caCertificate } = proxy;
  try {
    return await startTls(tcp, { hostname, caCertificate, alpnProtocols: ["http/1.1"] }, signal);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const why = tlsReason(reasonOf(error), hostname, PROXY_REMEDY) ??
      "the connection ended during the handshake";
    throw connectFailed(attempt, `cannot open a TLS connection to ${where}: ${why}`, error);
  }
}

function check(ip: string, { target, upstream, options }: Attempt): void {
  // One denied address refuses the host: an honest name does not lead to internal and external addresses at once.
  options.checkAddress(target.hostname, ip, upstream);
}

async function addressesOfTarget(attempt: Attempt): Promise<readonly string[]> {
  const { target: { hostname, proxy } } = attempt;
  const hint = proxy === null ? "" : "; if only the proxy can, set PROXY_RESOLVES_NAMES=true";
  return await addressesOf(hostname, attempt, (why) => `cannot resolve "${hostname}" (${why})${hint}`);
}

/** Resolves a host; a literal address is its own result. @throws {SluiceError} UPSTREAM_CONNECT_FAILED; the signal's reason */
async function addressesOf(
  hostname: string,
  attempt: Attempt,
  unresolved: (why: string) => string,
): Promise<readonly string[]> {
  const { signal, options: { resolve = resolveHost } } = attempt;
  if (isIP(hostname) !== 0) return [hostname];
  try {
    const addresses = await unlessAborted(resolve(hostname), signal);
    if (addresses.length > 0) return addresses;
    throw new Error("it has no address");
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const { code } = error as { code?: unknown };
    throw connectFailed(attempt, unresolved(typeof code === "string" ? code : reasonOf(error)), error);
  }
}

/** Tries the addresses in order. @returns the first result of `connect` @throws a `SluiceError` of `connect` ends the search at once */
async function firstReached<T>(
  addresses: readonly string[],
  attempt: Attempt,
  connect: (address: string, signal: AbortSignal) => Promise<T>,
  reason: (error: unknown) => string,
): Promise<T> {
  const { signal, until, options: { clock } } = attempt;
  let failure: unknown;
  for (const [index, address] of addresses.entries()) {
    const tries = addresses.length - index;
    const limit = new AbortController();
    const onAbort = () => limit.abort(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    const limitMs = Math.max(MIN_TRY_MS, (until - clock.now()) / tries);
    const timer = tries > 1
      ? clock.setTimeout(() => limit.abort(new Error("no answer in time")), limitMs)
      : undefined;
    try {
      return await connect(address, limit.signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof SluiceError) throw error;
      failure = error;
    } finally {
      if (timer !== undefined) clock.clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }
  throw connectFailed(attempt, reason(failure), failure);
}

async function connectTcp(
  hostname: string,
  port: number,
  signal: AbortSignal,
  { options: { connect = Deno.connect } }: Attempt,
): Promise<Deno.TcpConn> {
  const conn = await unlessAborted(connect({ hostname, port, signal }), signal, (late) => late.close());
  conn.setNoDelay(true);
  return conn;
}

/** @param isPinned the server must have one of the registered certificates itself */
async function secure(
  conn: Deno.TcpConn | Deno.TlsConn,
  alpnProtocols: readonly string[],
  { target, upstream, signal }: Attempt,
  isPinned: boolean,
): Promise<Socket> {
  const { hostname, caCertificate } = target;
  try {
    const tls = { hostname, caCertificate, alpnProtocols };
    if (isPinned) return await startTlsPinned(conn, authoritiesIn(caCertificate!), tls, signal);
    return "handshake" in conn ? await startTlsWithin(conn, tls, signal) : await startTls(conn, tls, signal);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const reason = tlsReason(reasonOf(error), hostname);
    if (reason === null) {
      const params = { upstream, reason: "the connection ended during the TLS handshake" };
      throw new SluiceError("UPSTREAM_CONNECT_FAILED", params, { cause: error });
    }
    throw new SluiceError("UPSTREAM_TLS_FAILED", { upstream, reason }, { cause: error });
  }
}

/** The proxy reports that it cannot reach the address. Another address of the upstream may work. */
function isUnreachedByProxy(error: unknown): boolean {
  return error instanceof TunnelRefused && error.status >= 502 && error.status <= 504;
}

function tunnelReason(error: unknown, proxy: Proxy, isResolvedThere: boolean): string {
  const where = `the proxy of ${proxy.setting}`;
  if (!(error instanceof TunnelRefused)) return `${where} made no tunnel: ${reasonOf(error)}`;
  const { status } = error;
  if (status === 407) return credentialsRefused(proxy);
  if (isUnreachedByProxy(error)) return `${where} cannot reach the upstream (HTTP ${status})`;
  const hint = isResolvedThere ? "" : "; if it allows host names only, set PROXY_RESOLVES_NAMES=true";
  return `${where} refused CONNECT (HTTP ${status})${hint}`;
}

/** The reason for a proxy's HTTP 407. */
export function credentialsRefused({ setting, authorization }: Proxy): string {
  return authorization === null
    ? `the proxy of ${setting} wants credentials (HTTP 407); write them into its URL: http://user:password@host:port`
    : `the proxy of ${setting} does not accept the user name and password in its URL (HTTP 407)`;
}

function connectFailed({ upstream }: Attempt, reason: string, cause: unknown): SluiceError {
  return new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream, reason }, { cause });
}

function connectReason(error: unknown): string {
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  return reasonOf(error).replace(/ \(os error \d+\)/, "").toLowerCase();
}
