// Room `representation`: the form of an answer: what its client takes, whether the client has it already, and what is kept of it.
// This file reads what a client takes.

/** Is the client a browser that wants a page? Programs get JSON. */
export function takesHtml(headers: Headers): boolean {
  return headers.get("accept")?.includes("text/html") === true;
}

/** A client that names gzip with a weight, which may be 0, gets the plain text. */
export function takesGzip({ headers }: Request): boolean {
  return headers.get("accept-encoding")?.split(",").some((coding) => coding.trim() === "gzip") === true;
}
