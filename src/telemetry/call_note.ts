// Facts about a request for its line in the access log, collected on its way. Plain data, which crosses to other workers and replicas.
import { Buffer } from "node:buffer";

export interface CallNote {
  /** The client's X-Correlation-ID, or a new one. */
  readonly correlationId: string;
  /** The access log is on: facts that only its lines show are collected as well. */
  readonly isLogged?: boolean;
  /** The client's address; behind a proxy, the proxy's. */
  client?: string;
  /** The name of the endpoint. */
  endpoint?: string;
  /** The client's address, also behind trusted proxies; only if calls are recorded for the audit trail. */
  origin?: string;
  /** The token's subject, or `anonymous`; absent if the request was refused before its token was checked. */
  caller?: string;
  /** The token's id. */
  jti?: string;
  /** The JSON-RPC method; `batch` for several. */
  rpcMethod?: string;
  /** The tool or prompt by the name that the client used, or the resource's URI without its query. */
  tool?: string;
  upstream?: string;
  /** The name of the downstream session, which is not its (secret) id. */
  session?: string;
  /** Length of the answer's body; absent for a stream, and without an access log. */
  bytes?: number;
  /** Why it failed: a code of the error table, or the number of another JSON-RPC error, such as the upstream's. Absent: success. */
  code?: string | number;
  /** The requests of a batch. */
  calls?: CallNote[];
}

/** The parts of a principal that the log names. */
interface Caller {
  readonly kind: "user" | "anonymous";
  readonly subject: string;
  readonly jti: string | null;
}

/** Has all fields from the beginning: V8 copies an object when fields are added to it later. */
export function noteOf(
  { correlationId, isLogged, client, endpoint, origin }: Pick<
    CallNote,
    "correlationId" | "isLogged" | "client" | "endpoint" | "origin"
  >,
): CallNote {
  return {
    correlationId,
    isLogged,
    client,
    endpoint,
    origin,
    caller: undefined,
    jti: undefined,
    rpcMethod: undefined,
    tool: undefined,
    upstream: undefined,
    session: undefined,
    bytes: undefined,
    code: undefined,
    calls: undefined,
  };
}

export const CORRELATION_HEADER = "x-correlation-id";

const MAX_ID_CHARS = 128;

/** The limit for each text that a client chooses. */
const MAX_TEXT_CHARS = 256;

export function noteCaller(note: CallNote, { kind, subject, jti }: Caller): void {
  note.caller = kind === "anonymous" ? kind : boundedText(subject);
  if (jti !== null) note.jti = boundedText(jti);
}

export function noteMethod(note: CallNote, method: string): void {
  note.rpcMethod = boundedText(method);
}

/** @param name as the client wrote it */
export function noteTool(note: CallNote, name: string): void {
  note.tool = boundedText(name);
}

/** Leaves out query, fragment and userinfo, which may hold a secret. */
export function noteResource(note: CallNote, uri: string): void {
  const shown = uri.replace(/[?#].*$/s, "").replace(/:\/\/[^/]*@/, "://").slice(0, MAX_TEXT_CHARS);
  note.tool = uri.length > MAX_TEXT_CHARS ? copyOf(shown) : shown;
}

export function noteBody(note: CallNote, body: string): void {
  if (note.isLogged) note.bytes = Buffer.byteLength(body);
}

/** The id of a request with these headers: see `correlationIdFrom()`. */
export function correlationIdOf(headers: { get(name: string): string | null }): string {
  return correlationIdFrom(headers.get(CORRELATION_HEADER));
}

/** The client's own id without characters that do not belong in a log line or a header; or a new id. */
export function correlationIdFrom(given: string | null): string {
  const id = given === null ? "" : given.slice(0, MAX_ID_CHARS).replaceAll(/[^A-Za-z0-9._:-]/g, "");
  return id === "" ? crypto.randomUUID() : id;
}

export function boundedText(text: string): string {
  return text.length > MAX_TEXT_CHARS ? copyOf(text.slice(0, MAX_TEXT_CHARS)) : text;
}

/** A part of a string keeps the whole string in memory. */
function copyOf(part: string): string {
  return Buffer.from(part).toString();
}
