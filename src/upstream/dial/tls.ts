// TLS on a connection: by Deno on TCP, by node within the TLS of a proxy, where Deno's cannot be.
import { isIP } from "node:net";
import { type CancelSignal, unlessAborted } from "../../base/cancellation.ts";
import { type Socket, SocketStream, StreamSocket } from "./socket.ts";

export interface TlsOptions {
  /** What the certificate must be for. */
  readonly hostname: string;
  /** PEM certificates to trust, besides the system's. */
  readonly caCertificate: string | undefined;
  /** Offered to the other side (ALPN). */
  readonly alpnProtocols: readonly string[];
}

/** A failed handshake closes the connection. @throws the signal's reason; what the handshake failed with */
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

/** The same within another TLS connection. */
export async function startTlsWithin(
  outer: Socket,
  { hostname, caCertificate, alpnProtocols }: TlsOptions,
  signal: CancelSignal,
): Promise<Socket> {
  const { connect, rootCertificates } = await import("node:tls");
  const stream = connect({
    socket: new SocketStream(outer),
    host: withoutRoot(hostname),
    // A literal address is not sent as a name, and the certificate is checked against `host`.
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

/** Words for the reasons that an operator meets; null where TLS did not come to an opinion. Knows Deno's words and node's. */
export function tlsReason(message: string, hostname: string): string | null {
  if (
    /UnknownIssuer|CaUsedAsEndEntity|BadSignature|self-signed certificate|unable to (get|verify)/.test(
      message,
    )
  ) {
    return "its certificate is not signed by a known authority; give its CA certificate";
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

/** A certificate's name is never written with the root's dot. */
function withoutRoot(hostname: string): string {
  return hostname.replace(/\.$/, "");
}

function close(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch {
    // A failed `startTls` has already taken the socket with it.
  }
}
