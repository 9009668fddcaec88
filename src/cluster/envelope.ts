// The envelope of a forwarded request and of its reply: a head of JSON lines, and the body as it came. Two carriers move envelopes and
// read none: ports between the workers of a process, HTTP between replicas.
import type { Principal } from "../auth/principal.ts";
import { BoundedMap } from "../base/bounded_map.ts";
import type { CancelSignal } from "../base/cancellation.ts";
import { type ErrorCode, type ErrorParams, reasonOf, SluiceError, toSluiceError } from "../base/errors.ts";
import type { McpReply, McpRequest, RequestHeaders, Serve } from "../downstream/exchange/mcp_exchange.ts";
import type { HeaderList } from "../upstream/transport/transport.ts";
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

/** The principal has a line of its own, because it is the same for many requests. */
export function encodeRequest({ body, headers, principal, trace, ...rest }: McpRequest): string {
  const list: [string, string][] = [];
  headers.forEach((value, name) => list.push([name, value]));
  const tracedAs = trace?.context ?? rest.tracedAs;
  return `${textOf(principal)}\n${JSON.stringify({ ...rest, headers: list, tracedAs })}\n${body}`;
}

function decodeRequest(text: string): McpRequest {
  const principalEnd = text.indexOf("\n");
  const end = text.indexOf("\n", principalEnd + 1);
  const head = JSON.parse(text.slice(principalEnd + 1, end));
  return Object.assign(head, {
    principal: principalIn(text.slice(0, principalEnd)),
    headers: new ForwardedHeaders(head.headers),
    body: text.slice(end + 1),
  });
}

const principalTexts = new WeakMap<Principal, string>();

function textOf(principal: Principal): string {
  let text = principalTexts.get(principal);
  if (text === undefined) principalTexts.set(principal, text = JSON.stringify(principal));
  return text;
}

/** Principals by their text: as in the worker that verified the token, a principal is one object for every request with it. */
const principals = new BoundedMap<string, Principal>({
  maxEntries: 10_000,
  maxWeight: 8 * 1024 * 1024,
  weightOf: (text) => text.length,
});

function principalIn(text: string): Principal {
  let principal = principals.get(text);
  if (principal === undefined) principals.set(text, principal = JSON.parse(text) as Principal);
  return principal;
}

/** A request's headers as `Headers` lists them. A new `Headers` would check and sort them again, which costs more than a call reads. */
class ForwardedHeaders implements RequestHeaders {
  readonly #list: HeaderList;

  constructor(list: HeaderList) {
    this.#list = list;
  }

  get(name: string): string | null {
    const wanted = name.toLowerCase();
    return this.#list.find(([name]) => name === wanted)?.[1] ?? null;
  }

  forEach(each: (value: string, name: string) => void): void {
    for (const [name, value] of this.#list) each(value, name);
  }
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
