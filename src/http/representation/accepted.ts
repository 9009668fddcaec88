// Room `representation`: the form of an answer: what its client takes, whether the client has it already, and what is kept of it.
// This file reads what a client takes, and makes the compressed form.

/** Is the client a browser that wants a page? Programs get JSON. */
export function takesHtml(headers: Headers): boolean {
  return headers.get("accept")?.includes("text/html") === true;
}

/** A client that names gzip with a weight, which may be 0, gets the plain text. */
export function takesGzip({ headers }: Request): boolean {
  return headers.get("accept-encoding")?.split(",").some((coding) => coding.trim() === "gzip") === true;
}

export async function gzipped(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"))).bytes();
}
