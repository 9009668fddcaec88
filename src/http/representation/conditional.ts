// Content negotiation and conditional requests: what a client takes, the entity tag of a response, and 304 for a client that has the
// response already.
import { eTag, ifNoneMatch } from "@std/http/etag";
import type { Representation } from "./response_cache.ts";

const ENCODER = new TextEncoder();

export function jsonRepresentation(body: unknown): Promise<Representation> {
  return textRepresentation(JSON.stringify(body));
}

export function textRepresentation(text: string): Promise<Representation> {
  return bytesRepresentation(ENCODER.encode(text));
}

/** `bytes` with their entity tag. The tag is a hash of the bytes, and so the same on every worker and replica. */
export async function bytesRepresentation(bytes: Uint8Array<ArrayBuffer>): Promise<Representation> {
  return { bytes, etag: (await eTag(bytes))! };
}

/**
 * 200, or 304 where `If-None-Match` names the representation: a list of tags or `*`, compared weakly (RFC 9110, sections
 * 13.1.2 and 15.4.5).
 * @param request a GET or HEAD
 * @param headers sent with either status
 * @param about headers of the body
 */
export function conditionalResponse(
  request: Request,
  { bytes, etag }: Representation,
  headers: Readonly<Record<string, string>>,
  about: Readonly<Record<string, string>> = { "content-type": "application/json" },
): Response {
  // The library takes quadratic time for a run of blanks. A tag contains none.
  const known = request.headers.get("if-none-match")?.replace(/[ \t]+/g, " ") ?? null;
  if (!ifNoneMatch(known, etag)) {
    return new Response(null, { status: 304, headers: { ...headers, etag } });
  }
  return new Response(bytes, { headers: { ...headers, etag, ...about } });
}
