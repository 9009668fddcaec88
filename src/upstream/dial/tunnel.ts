// Tunnels through a proxy: HTTP CONNECT (RFC 9110, section 9.3.6).
import { type CancelSignal, unlessAborted } from "../../base/cancellation.ts";
import { ProtocolFault } from "../http1/protocol_fault.ts";
import { HeadScanner, parseResponseHead, type ResponseHead } from "../http1/response_head.ts";
import type { Socket } from "./socket.ts";

/** The proxy answered CONNECT with a status other than 2xx. */
export class TunnelRefused extends Error {
  override name = "TunnelRefused";

  constructor(readonly status: number) {
    super(`HTTP ${status}`);
  }
}

const MAX_HEAD_BYTES = 16_384;
const encoder = new TextEncoder();

/**
 * Opens a tunnel over a connection to a proxy. The caller closes the connection if this fails.
 * @param authority host and port of the other end
 * @throws {TunnelRefused}; {ProtocolFault}; the signal's reason; an error of the socket
 */
export async function openTunnel(
  socket: Socket,
  authority: string,
  authorization: string | null,
  signal: CancelSignal,
): Promise<void> {
  const credentials = authorization === null ? "" : `proxy-authorization: ${authorization}\r\n`;
  const request = encoder.encode(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`);
  for (let at = 0; at < request.length;) {
    at += await unlessAborted(socket.write(request.subarray(at)), signal);
  }
  const { status } = await readHead(socket, signal);
  if (status < 200 || status > 299) throw new TunnelRefused(status);
}

async function readHead(socket: Socket, signal: CancelSignal): Promise<ResponseHead> {
  const bytes = new Uint8Array(MAX_HEAD_BYTES);
  const scanner = new HeadScanner();
  let end = 0;
  for (;;) {
    const count = await unlessAborted(socket.read(bytes.subarray(end)), signal);
    if (count === null) throw new ProtocolFault("it closed the connection");
    end += count;
    const length = scanner.scan(bytes, 0, end);
    if (length < 0 && end < bytes.length) continue;
    if (length < 0) throw new ProtocolFault(`the head of its answer is longer than ${MAX_HEAD_BYTES} bytes`);
    const head = parseResponseHead(bytes, 0, length);
    const isTunnel = head.status >= 200 && head.status <= 299;
    // The gateway has sent nothing to the other end yet, so these bytes cannot be its answer.
    if (isTunnel && length < end) throw new ProtocolFault("more bytes follow the head of its answer");
    return head;
  }
}
