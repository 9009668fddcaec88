// Room `representation`: the form of an answer: what its client takes, whether the client has it already, and what is kept of it.
// This file reads what a client takes.

/** A content coding that answers are compressed by. */
export type Coding = "br" | "gzip";

/** The first of equals is preferred. */
const CODINGS: readonly Coding[] = ["br", "gzip"];

/**
 * The request headers that pages and reads depend on. One path under /admin may have a page, a part of it, and a read. A token or the
 * cookie of a session names the caller.
 */
export const VARIES = "Accept, Accept-Encoding, Authorization, Cookie, HX-Request";

/** Is the client a browser that wants a page? Programs get JSON. */
export function takesHtml(headers: Headers): boolean {
  return headers.get("accept")?.includes("text/html") === true;
}

/**
 * The coding that the client prefers by its `Accept-Encoding`: RFC 9110, section 12.5.3.
 * @returns null: the plain bytes are preferred, or nothing else is accepted
 */
export function codingFor(headers: Headers): Coding | null {
  const header = headers.get("accept-encoding");
  if (header === null) return null;
  const weights = new Map<string, number>();
  for (const part of header.toLowerCase().split(",", MAX_PARTS)) {
    const [name, ...parameters] = part.split(";").map((text) => text.trim());
    weights.set(name!, weightIn(parameters));
  }
  const weightOf = (coding: string) => weights.get(coding) ?? weights.get("*") ?? 0;
  const best = CODINGS.reduce((best, next) => weightOf(next) > weightOf(best) ? next : best);
  const weight = weightOf(best);
  return weight > 0 && weight >= (weights.get("identity") ?? 0) ? best : null;
}

/** Browsers send four codings. */
const MAX_PARTS = 20;

function weightIn(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => parameter.startsWith("q="));
  const weight = given === undefined ? 1 : Number(given.slice(2));
  return weight >= 0 && weight <= 1 ? weight : 0;
}
