// TLS on a connection: Deno's, and node's for a server whose certificate is marked as an authority.
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import { type CancelSignal, unlessAborted } from "../../base/cancellation.ts";
import { asTcp } from "./loopback.ts";
import { closeSocket, type Socket, SocketStream, StreamSocket } from "./socket.ts";

export interface TlsOptions {
  /** The name in the certificate. */
  readonly hostname: string;
  /** PEM certificates of authorities, besides the system's. */
  readonly caCertificate: string | undefined;
  /** The protocols to offer (ALPN). */
  readonly alpnProtocols: readonly string[];
}

/** Closes the connection if the handshake fails. @throws the signal's reason; the error of the handshake */
export async function startTls(
  tcp: Deno.TcpConn,
  { hostname, caCertificate, alpnProtocols }: TlsOptions,
  signal: CancelSignal,
): Promise<Deno.TlsConn> {
  let conn: Deno.TcpConn | Deno.TlsConn = tcp;
  try {
    const socket = await Deno.startTls(tcp, {
      hostname: withoutRoot(hostname),
      caCerts: caCertificate === undefined ? [] : [caCertificate],
      alpnProtocols: [...alpnProtocols],
    });
    conn = socket;
    await unlessAborted(socket.handshake(), signal);
    return socket;
  } catch (error) {
    closeSocket(conn);
    throw error;
  }
}

/**
 * The same within another connection that uses TLS. Node's TLS could do without the loopback interface, but in Deno 2.9 it accepts
 * forged certificates of X.509 version 1, whose issuer it compares by name alone.
 */
export async function startTlsWithin(
  outer: Socket,
  options: TlsOptions,
  signal: CancelSignal,
): Promise<Deno.TlsConn> {
  return await startTls(await asTcp(outer), options, signal);
}

/**
 * TLS with a server whose certificate is itself given, though it is marked as an authority (CA:TRUE, the default of
 * `openssl req -x509`). Deno's TLS refuses such a certificate. Node's accepts it if it is among `ca`, byte for byte; it verifies
 * that the server has the key, and the name. This function checks the certificate and its dates once more.
 * @param certificates see `authoritiesIn`
 * @throws {Error} the server has another certificate; see `startTlsWithin`
 */
export async function startTlsPinned(
  outer: Socket,
  certificates: readonly X509Certificate[],
  { hostname, alpnProtocols }: Pick<TlsOptions, "hostname" | "alpnProtocols">,
  signal: CancelSignal,
): Promise<Socket> {
  const ca = certificates.map(String);
  const { stream, socket } = await startNodeTls(outer, { hostname, ca, alpnProtocols }, signal);
  const raw = peerCertificate(stream);
  const pinned = certificates.find((certificate) => raw !== undefined && certificate.raw.equals(raw));
  const fault = raw === undefined
    ? "CaUsedAsEndEntity"
    : pinned === undefined
    ? "self-signed certificate"
    : datesFault(pinned, Date.now());
  if (fault === null) return socket;
  socket.close();
  closeSocket(outer);
  throw new Error(fault);
}

/** The server's certificate; undefined: Deno below 2.8 does not tell it for a connection over a stream. */
function peerCertificate(stream: TLSSocket): Uint8Array | undefined {
  try {
    return stream.getPeerCertificate().raw;
  } catch {
    return undefined;
  }
}

/** The certificates in PEM text that are marked as authorities. */
export function authoritiesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block)).filter(({ ca }) => ca);
}

/** Whether TLS failed only because the server's certificate is marked as an authority. */
export function isAuthorityAsServer(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each.message.includes("CaUsedAsEndEntity")) return true;
  }
  return false;
}

function datesFault({ validFrom, validTo }: X509Certificate, now: number): string | null {
  if (!(Date.parse(validFrom) <= now)) return "certificate is not yet valid";
  return Date.parse(validTo) >= now ? null : "certificate has expired";
}

async function startNodeTls(
  outer: Socket,
  { hostname, ca, alpnProtocols }: {
    readonly hostname: string;
    readonly ca: string[];
    readonly alpnProtocols: readonly string[];
  },
  signal: CancelSignal,
): Promise<{ readonly stream: TLSSocket; readonly socket: Socket }> {
  const { connect } = await import("node:tls");
  const stream = connect({
    socket: new SocketStream(outer),
    host: withoutRoot(hostname),
    // A literal address is not sent as a server name. The certificate is then verified for `host`.
    servername: isIP(hostname) === 0 ? withoutRoot(hostname) : "",
    ca,
    ALPNProtocols: [...alpnProtocols],
  });
  const socket = new StreamSocket(stream);
  const secured = new Promise<void>((resolve, reject) => {
    stream.once("secureConnect", resolve);
    stream.once("error", reject);
    stream.once("close", () => reject(new Error("unexpected end of file")));
  });
  try {
    await unlessAborted(secured, signal);
    return { stream, socket };
  } catch (error) {
    socket.close();
    closeSocket(outer);
    throw error;
  }
}

/** What an operator does about a certificate of an unknown authority. */
const UPSTREAM_REMEDY = "register the upstream with the field ca_certificate (PEM)";

/**
 * The reason why the server ended the handshake, if that concerns the client's certificate (RFC 8446, section 6.2).
 * @returns null if it does not
 */
export function alertReason(message: string): string | null {
  const alert = /fatal alert: ?(\w+)/.exec(message)?.[1];
  switch (alert) {
    case "CertificateRequired":
      return "it wants a client certificate; register it with the fields client_cert and client_key (PEM)";
    case "HandshakeFailure":
      return "it refuses the handshake (HandshakeFailure); if it wants a client certificate, register it with the fields " +
        "client_cert and client_key (PEM)";
    case "UnknownCA":
    case "BadCertificate":
    case "CertificateUnknown":
    case "CertificateRevoked":
    case "CertificateExpired":
    case "UnsupportedCertificate":
    case "AccessDenied":
    case "DecryptError":
      return `it refuses the client certificate (${alert}); check client_cert, and the authorities that the upstream trusts`;
    default:
      return null;
  }
}

/** Translates a TLS error of Deno or node for the operator. @returns null if the connection ended before the handshake decided */
export function tlsReason(message: string, hostname: string, remedy = UPSTREAM_REMEDY): string | null {
  const alert = alertReason(message);
  if (alert !== null) return alert;
  if (/CaUsedAsEndEntity/.test(message)) {
    return `its certificate is marked as an authority (CA:TRUE), and is not itself trusted; ${remedy}, or give the upstream ` +
      "a certificate with basicConstraints=CA:FALSE";
  }
  if (
    /UnknownIssuer|BadSignature|self-signed certificate|unable to (get|verify)/.test(
      message,
    )
  ) {
    return `its certificate is not signed by a known authority; ${remedy}`;
  }
  if (/not valid for name|NotValidForName|does not match certificate/.test(message)) {
    return `its certificate is not valid for "${hostname}"`;
  }
  if (/expired/i.test(message)) return "its certificate has expired";
  if (/not (valid yet|yet valid)|NotValidYet/i.test(message)) return "its certificate is not valid yet";
  if (/NoApplicationProtocol/.test(message)) return "it does not offer HTTP/1.1";
  if (/corrupt message|InvalidContentType|wrong version number/.test(message)) {
    return "it does not speak TLS on this port";
  }
  if (/end of file|reset by peer|broken pipe/i.test(message)) return null;
  return message;
}

/** Removes the dot of the DNS root, which names in certificates do not have. */
function withoutRoot(hostname: string): string {
  return hostname.replace(/\.$/, "");
}
