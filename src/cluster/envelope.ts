// The envelope of a forwarded request and of its reply: a head, which is one line of JSON, and the body as it came. Two carriers move
// envelopes and read none: ports between the workers of a process, HTTP between replicas.
import type { CancelSignal } from "../base/cancellation.ts";
import { type ErrorCode, type ErrorParams, reasonOf, SluiceError, toSluiceError } from "../base/errors.ts";
import type { McpReply, McpRequest, Serve } from "../downstream/exchange/mcp_exchange.ts";
import type { CallNote } from "../telemetry/call_note.ts";

/** A reply on its way back. */
export interface EncodedReply {
  readonly head: string;
  readonly body: McpReply["body"];
  /** The request's note. The owner goes on with it while a stream is open. */
  readonly note: CallNote | undefined;
}

/** What the asking side learns before the body. */
export interface ReplyHead extends Omit<McpReply, "body"> {
  readonly body: "none" | "text" | "stream";
}

/** The head as its JSON says it. `note` is what the owner has noted for the access log of the asking side. */
type HeadJson = Noted & (ReplyHead | { readonly error: ErrorJson });

interface Noted {
  readonly note?: CallNote;
}

interface ErrorJson {
  readonly code: ErrorCode;
  readonly params: ErrorParams;
  readonly data: unknown;
  /** In words, for the log of the asking side. */
  readonly cause: string | undefined;
}

export function encodeRequest({ body, headers, ...rest }: McpRequest): string {
  return `${JSON.stringify({ ...rest, headers: [...headers] })}\n${body}`;
}

function decodeRequest(text: string): McpRequest {
  const end = text.indexOf("\n");
  const head = JSON.parse(text.slice(0, end));
  return Object.assign(head, { headers: new Headers(head.headers), body: text.slice(end + 1) });
}

/** Serves an encoded request. Never rejects: a failure becomes the reply. */
export async function serveEncoded(text: string, serve: Serve, signal: CancelSignal): Promise<EncodedReply> {
  let note: CallNote | undefined;
  try {
    const request = decodeRequest(text);
    note = request.note;
    const { body, ...reply } = await serve(request, signal);
    const kind = body === null ? "none" : typeof body === "string" ? "text" : "stream";
    return { head: encodeHead({ ...reply, body: kind, note }), body, note };
  } catch (error) {
    return { head: encodeFailure(error, note), body: null, note };
  }
}

/** The head of a failure, also of one that breaks a stream off. */
export function encodeFailure(thrown: unknown, note?: CallNote): string {
  const { code, params, data, cause } = toSluiceError(thrown);
  const error = { code, params, data, cause: cause === undefined ? undefined : reasonOf(cause) };
  return encodeHead({ error, note });
}

/**
 * Reads a reply's head on the asking side, and adds the owner's note to the request's.
 * @throws {SluiceError} what the owner threw
 */
export function decodeReply(head: string, { note }: Pick<McpRequest, "note">): ReplyHead {
  const { note: noted, ...rest }: HeadJson = JSON.parse(head);
  if (note !== undefined) Object.assign(note, noted);
  if (!("error" in rest)) return rest;
  const { code, params, data, cause } = rest.error;
  throw new SluiceError(code, params, { data, cause });
}

/** The end of a stream, with what the owner has noted until then. */
export function encodeEnd(note: CallNote | undefined): string {
  return encodeHead({ note });
}

/** Reads the end of a stream on the asking side, and adds the owner's note to the request's. */
export function decodeEnd(end: string, { note }: Pick<McpRequest, "note">): void {
  if (note !== undefined) Object.assign(note, (JSON.parse(end) as Noted).note);
}

function encodeHead(head: HeadJson | Noted): string {
  return JSON.stringify(head);
}
