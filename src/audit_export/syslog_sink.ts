// Sends records to a syslog server: over UDP (RFC 5426), TCP with octet counting (RFC 6587, section 3.4.1) or TLS (RFC 5425).
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { unlessAborted } from "../base/cancellation.ts";
import type { ChainedRecord } from "../store/audit/audit_record.ts";
import { type AuditSink, SEND_TIMEOUT_MS } from "./audit_sink.ts";
import { syslogMessage, type SyslogSender } from "./syslog_message.ts";

const AT_ONCE = 200;

export interface SyslogTarget {
  readonly protocol: "udp" | "tcp" | "tls";
  readonly hostname: string;
  readonly port: number;
  /** PEM certificates of authorities besides the system's. */
  readonly caCertificates: string | null;
}

const PORTS = { udp: 514, tcp: 514, tls: 6514 } as const;

/** @param url as AUDIT_SYSLOG_URL: `udp://host[:port]`, `tcp://…` or `tls://…` */
export function syslogTarget(url: string, caCertificates: string | null): SyslogTarget {
  const protocol = url.slice(0, 3).toLowerCase() as SyslogTarget["protocol"];
  const { hostname, port } = new URL(url.replace(/^\w+/, "http"));
  const given = /:(\d+)\/?$/.exec(url)?.[1] ?? port;
  return {
    protocol,
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: given === "" ? PORTS[protocol] : Number(given),
    caCertificates,
  };
}

export function syslogSink(target: SyslogTarget, sender: SyslogSender): AuditSink {
  return target.protocol === "udp" ? datagramSink(target, sender) : streamSink(target, sender);
}

function datagramSink({ hostname, port }: SyslogTarget, sender: SyslogSender): AuditSink {
  const socket = createSocket(isIPv6(hostname) ? "udp6" : "udp4");
  socket.unref();
  // A failure is reported to its send.
  socket.on("error", () => {});
  return {
    name: "syslog",
    atOnce: AT_ONCE,
    send: async (records) => {
      for (const record of records) {
        const message = syslogMessage(record, sender, true);
        await new Promise<void>((resolve, reject) =>
          socket.send(
            message,
            port,
            hostname,
            (error) => error === null || error === undefined ? resolve() : reject(error),
          )
        );
      }
    },
    close: () => socket.close(),
  };
}

interface Connection {
  readonly conn: Deno.TcpConn | Deno.TlsConn;
  /** The server has closed the connection. */
  isOver: boolean;
}

/** Syslog has no acknowledgements. When a connection breaks, its last batch is sent again: the server may not have read it. */
function streamSink(target: SyslogTarget, sender: SyslogSender): AuditSink {
  const encoder = new TextEncoder();
  let connection: Connection | null = null;
  let unconfirmed: Uint8Array = new Uint8Array();
  const end = () => {
    if (connection?.isOver === false) connection.conn.close();
    connection = null;
  };
  const framed = (record: ChainedRecord) => {
    const message = syslogMessage(record, sender, false);
    return `${message.length} ${message}`;
  };
  const write = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) at += await connection!.conn.write(bytes.subarray(at));
  };
  return {
    name: "syslog",
    atOnce: AT_ONCE,
    send: async (records, signal) => {
      const timer = AbortSignal.any([AbortSignal.timeout(SEND_TIMEOUT_MS), signal as AbortSignal]);
      const bytes = encoder.encode(records.map(framed).join(""));
      const run = async () => {
        if (connection === null || connection.isOver) {
          end();
          connection = await connect(target, timer);
          await write(unconfirmed);
        }
        await write(bytes);
        unconfirmed = bytes;
      };
      try {
        await unlessAborted(run(), timer);
      } catch (error) {
        end();
        throw error;
      }
    },
    close: end,
  };
}

/** The operator has chosen the address: no egress check applies, as for the database. */
async function connect(
  { protocol, hostname, port, caCertificates }: SyslogTarget,
  signal: AbortSignal,
): Promise<Connection> {
  const conn = protocol === "tls"
    ? await Deno.connectTls({ hostname, port, caCerts: caCertificates === null ? [] : [caCertificates] })
    : await Deno.connect({ hostname, port, signal });
  if (signal.aborted) {
    // Too late: another try may have a connection by now.
    conn.close();
    throw signal.reason;
  }
  const connection: Connection = { conn, isOver: false };
  void watch(connection);
  return connection;
}

/** Servers send nothing: a read ends when the connection does. */
async function watch(connection: Connection): Promise<void> {
  const { conn } = connection;
  const ignored = new Uint8Array(1024);
  try {
    while (await conn.read(ignored) !== null);
    conn.close();
  } catch {
    // The connection is closed, or broken.
  }
  connection.isOver = true;
}
