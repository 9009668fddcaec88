// Whose answer a message was that is too long to be read: seen from both of its ends.

/** The first and the last characters of a message, as many as there are up to EDGE_CHARS. */
export interface Edges {
  readonly start: string;
  readonly end: string;
}

export const EDGE_CHARS = 100;

const VERSION = String.raw`"jsonrpc"\s*:\s*"2\.0"\s*`;
const ID = String.raw`"id"\s*:\s*(\d+)\s*`;
const OUTCOME = String.raw`"(?:result|error)"\s*:`;

const ID_FIRST = new RegExp(String.raw`^\s*\{\s*(?:${VERSION},\s*)?${ID},\s*(?:${VERSION},\s*)?${OUTCOME}`);
const OUTCOME_FIRST = new RegExp(String.raw`^\s*\{\s*(?:${VERSION},\s*)?${OUTCOME}`);
const ID_LAST = new RegExp(String.raw`,\s*${ID}(?:,\s*${VERSION})?\}\s*$`);
const CALL = new RegExp(String.raw`^\s*\{\s*(?:${VERSION},\s*)?(?:"id"\s*:\s*[^,]{1,40},\s*)?"method"\s*:`);

/**
 * The id of the request that a message answers; null: it is no answer; undefined: it may be the answer to any. Only members of
 * the outermost object are looked at: what stands in front of the last brace is one.
 */
export function answeredBy({ start, end }: Edges): number | null | undefined {
  if (CALL.test(start)) return null;
  const id = ID_FIRST.exec(start) ?? (OUTCOME_FIRST.test(start) ? ID_LAST.exec(end) : null);
  return id === null ? undefined : Number(id[1]);
}

export function edgesOf(text: string): Edges {
  return { start: text.slice(0, EDGE_CHARS), end: text.slice(-EDGE_CHARS) };
}
