// Content negotiation and conditional requests: what a client takes, the entity tag of a response, and 304 for a client that has the
// response already.
import { eTag, ifNoneMatch } from "@std/http/etag";
import type { Coding } from "./accepted.ts";
import { compressed } from "./compressed.ts";
import type { Representation } from "./response_cache.ts";

const ENCODER = new TextEncoder();

/** A representation with an entity tag, for clients that keep it. */
export type Tagged = Representation & { readonly etag: string };

export function jsonRepresentation(body: unknown, coding: Coding | null = null): Promise<Tagged> {
  return textRepresentation(JSON.stringify(body), coding);
}

/** The tag is a hash of the compressed bytes, and so the same on every worker and replica. */
export async function textRepresentation(
  text: string,
  coding: Coding | null = null,
  lifetime: "lasting" | "passing" = "passing",
): Promise<Tagged> {
  const { bytes, coding: used } = await compressed(ENCODER.encode(text), coding, lifetime);
  return { bytes, coding: used, etag: (await eTag(bytes))! };
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
  { bytes, coding, etag }: Tagged,
  headers: Readonly<Record<string, string>>,
  about: Readonly<Record<string, string>> = { "content-type": "application/json" },
): Response {
  // The library takes quadratic time for a run of blanks. A tag contains none.
  const known = request.headers.get("if-none-match")?.replace(/[ \t]+/g, " ") ?? null;
  if (!ifNoneMatch(known, etag)) {
    return new Response(null, { status: 304, headers: { ...headers, etag } });
  }
  const encoding: Record<string, string> = coding === null ? {} : { "content-encoding": coding };
  return new Response(bytes, { headers: { ...headers, etag, ...about, ...encoding } });
}
