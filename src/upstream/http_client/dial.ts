// Opens a connection: name to addresses, each checked before it is connected to, then TLS under the host's own name.

import { lookup } from "node:dns/promises";
import { type CancelSignal, unlessAborted } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { Deadline, inTime } from "../resilience/deadline.ts";
import type { Target } from "./target.ts";

export interface DialOptions {
  /** For everything from the name to the end of the TLS handshake. */
  readonly connectTimeoutMs: number;
  /** Refuses an address that must not be connected to. @throws {SluiceError} EGRESS_DENIED */
  readonly checkAddress: (hostname: string, ip: string, upstream: string) => void;
  /** The IP addresses of a host name, in the order to try. */
  readonly resolve: (hostname: string) => Promise<string[]>;
  readonly clock: Clock;
  /** Offered over TLS (ALPN); default: HTTP/1.1. */
  readonly alpnProtocols?: readonly string[];
  /** Default: `Deno.connect`. */
  readonly connect?: (to: { hostname: string; port: number; signal: AbortSignal }) => Promise<Deno.TcpConn>;
}

export interface Dialled {
  readonly socket: Deno.Conn;
  /** The address that was checked and connected to. */
  readonly ip: string;
}

/** An address that does not answer leaves at least this much time to the next, where there is one. */
const MIN_TRY_MS = 500;

/** The addresses that the system knows for a name. */
export async function systemResolve(hostname: string): Promise<string[]> {
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

/**
 * @param signal gives up; its reason is thrown
 * @throws {SluiceError} UPSTREAM_CONNECT_FAILED, UPSTREAM_TLS_FAILED, UPSTREAM_TIMEOUT, EGRESS_DENIED
 */
export async function dial(
  target: Target,
  upstream: string,
  signal: CancelSignal,
  options: DialOptions,
): Promise<Dialled> {
  const { clock, connectTimeoutMs } = options;
  const deadline = new Deadline(connectTimeoutMs, "HTTP_CLIENT_CONNECT_TIMEOUT", clock.now());
  return await inTime(deadline, { upstream, phase: "connect", signal, clock }, async (giveUp) => {
    const addresses = await resolveTarget(target, upstream, giveUp, options);
    const dialled = await connectFirst(addresses, target, upstream, giveUp, deadline.at, options);
    return target.tls
      ? { ip: dialled.ip, socket: await startTls(dialled.socket, target, upstream, giveUp, options) }
      : dialled;
  });
}

/**
 * The addresses of a target's host; a literal address is its own.
 * @throws {SluiceError} UPSTREAM_CONNECT_FAILED; the signal's reason
 */
export async function resolveTarget(
  target: Target,
  upstream: string,
  signal: CancelSignal,
  { resolve }: Pick<DialOptions, "resolve">,
): Promise<string[]> {
  if (target.isIpLiteral) return [target.hostname];
  try {
    const addresses = await unlessAborted(resolve(target.hostname), signal);
    if (addresses.length > 0) return addresses;
    throw new Error("it has no address");
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const { code } = error as { code?: unknown };
    const why = typeof code === "string" ? code : reasonOf(error);
    const reason = `cannot resolve "${target.hostname}" (${why})`;
    throw new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream, reason }, { cause: error });
  }
}

async function connectFirst(
  addresses: string[],
  target: Target,
  upstream: string,
  signal: CancelSignal,
  until: number,
  options: DialOptions,
): Promise<{ socket: Deno.TcpConn; ip: string }> {
  const { clock, checkAddress, connect = Deno.connect } = options;
  let failure: unknown;
  for (const [index, ip] of addresses.entries()) {
    // One denied address is enough: a name that leads inside and outside is no honest one.
    checkAddress(target.hostname, ip, upstream);
    const tries = addresses.length - index;
    const limit = new AbortController();
    const onAbort = () => limit.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const limitMs = Math.max(MIN_TRY_MS, (until - clock.now()) / tries);
    const timer = tries > 1
      ? clock.setTimeout(() => limit.abort(new Error("no answer in time")), limitMs)
      : undefined;
    try {
      const connecting = connect({ hostname: ip, port: target.port, signal: limit.signal });
      const socket = await unlessAborted(connecting, limit.signal, (late) => late.close());
      socket.setNoDelay(true);
      return { socket, ip };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      failure = error;
    } finally {
      if (timer !== undefined) clock.clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }
  const reason = connectReason(failure);
  throw new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream, reason }, { cause: failure });
}

async function startTls(
  tcp: Deno.TcpConn,
  target: Target,
  upstream: string,
  signal: CancelSignal,
  { alpnProtocols = ["http/1.1"] }: Pick<DialOptions, "alpnProtocols">,
): Promise<Deno.Conn> {
  let socket: Deno.TcpConn | Deno.TlsConn = tcp;
  try {
    const tls = await Deno.startTls(tcp, {
      // A certificate's name is never written with the root's dot.
      hostname: target.hostname.replace(/\.$/, ""),
      caCerts: target.caCertificate === undefined ? [] : [target.caCertificate],
      alpnProtocols: [...alpnProtocols],
    });
    socket = tls;
    await unlessAborted(tls.handshake(), signal);
    return tls;
  } catch (error) {
    close(socket);
    if (signal.aborted) throw signal.reason;
    const reason = tlsReason(reasonOf(error), target.hostname);
    if (reason === null) {
      const params = { upstream, reason: "the connection ended during the TLS handshake" };
      throw new SluiceError("UPSTREAM_CONNECT_FAILED", params, { cause: error });
    }
    throw new SluiceError("UPSTREAM_TLS_FAILED", { upstream, reason }, { cause: error });
  }
}

function connectReason(error: unknown): string {
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  return reasonOf(error).replace(/ \(os error \d+\)/, "").toLowerCase();
}

/** Words for the reasons that an operator meets; null where TLS did not come to an opinion. */
export function tlsReason(message: string, hostname: string): string | null {
  if (/UnknownIssuer|CaUsedAsEndEntity|BadSignature/.test(message)) {
    return "its certificate is not signed by a known authority; give its CA certificate";
  }
  if (/not valid for name|NotValidForName/.test(message)) {
    return `its certificate is not valid for "${hostname}"`;
  }
  if (/expired/i.test(message)) return "its certificate has expired";
  if (/not valid yet|NotValidYet/i.test(message)) return "its certificate is not valid yet";
  if (/NoApplicationProtocol/.test(message)) return "it does not offer HTTP/1.1";
  if (/corrupt message|InvalidContentType/.test(message)) return "it does not speak TLS on this port";
  if (/end of file|reset by peer|broken pipe/i.test(message)) return null;
  return message;
}

function close(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch {
    // A failed `startTls` has already taken the socket with it.
  }
}
