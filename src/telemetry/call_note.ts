// What becomes known of a request on its way, for its line in the access log. Plain data: it goes along to another worker.
import { Buffer } from "node:buffer";

export interface CallNote {
  /** The client's X-Correlation-ID, or one that was made for it. */
  readonly correlationId: string;
  /** The JSON-RPC method; `batch` for several. */
  rpcMethod?: string;
  /** The tool's name, as clients call it. */
  tool?: string;
  upstream?: string;
  /** The downstream session's name, which is not its id. */
  session?: string;
  /** Length of the answer's body, where it is not a stream. */
  bytes?: number;
}

export const CORRELATION_HEADER = "x-correlation-id";

const MAX_ID_CHARS = 128;

/** A method is the client's text: a tool's name at the longest, or nothing that one would want to read. */
const MAX_METHOD_CHARS = 128;

export function noteMethod(note: CallNote, method: string): void {
  note.rpcMethod = method.slice(0, MAX_METHOD_CHARS);
}

export function noteBody(note: CallNote, body: string): void {
  note.bytes = Buffer.byteLength(body);
}

/** The id that a request comes with, as `correlationIdFrom` takes it. */
export function correlationIdOf(headers: { get(name: string): string | null }): string {
  return correlationIdFrom(headers.get(CORRELATION_HEADER));
}

/** The client's own id, less what has no place in a log line or a header; or a new one. */
export function correlationIdFrom(given: string | null): string {
  const id = given === null ? "" : given.slice(0, MAX_ID_CHARS).replaceAll(/[^A-Za-z0-9._:-]/g, "");
  return id === "" ? crypto.randomUUID() : id;
}
