// TLS on a connection: Deno's on TCP, and node's within the TLS of a proxy, which Deno's does not support.
import { isIP } from "node:net";
import { type CancelSignal, unlessAborted } from "../../base/cancellation.ts";
import { type Socket, SocketStream, StreamSocket } from "./socket.ts";

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
    close(conn);
    throw error;
  }
}

/** The same within another connection that uses TLS. */
export async function startTlsWithin(
  outer: Socket,
  { hostname, caCertificate, alpnProtocols }: TlsOptions,
  signal: CancelSignal,
): Promise<Socket> {
  const { connect, rootCertificates } = await import("node:tls");
  const stream = connect({
    socket: new SocketStream(outer),
    host: withoutRoot(hostname),
    // A literal address is not sent as a server name. The certificate is then verified for `host`.
    servername: isIP(hostname) === 0 ? withoutRoot(hostname) : "",
    ca: caCertificate === undefined ? undefined : [...rootCertificates, caCertificate],
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
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** What an operator does about a certificate of an unknown authority. */
const UPSTREAM_REMEDY = "register the upstream with the field ca_certificate (PEM)";

/** Translates a TLS error of Deno or node for the operator. @returns null if the connection ended before the handshake decided */
export function tlsReason(message: string, hostname: string, remedy = UPSTREAM_REMEDY): string | null {
  if (
    /UnknownIssuer|CaUsedAsEndEntity|BadSignature|self-signed certificate|unable to (get|verify)/.test(
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

function close(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch {
    // A failed `startTls` has already closed the socket.
  }
}
