// Finds the request that an overlong response belongs to, from the first and last characters of the response.

/** The first and last characters of a message, up to EDGE_CHARS each. */
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
 * Returns the id of the answered request. Null: the message is no response. Undefined: it may answer any request. Only
 * members of the outermost object count; a member directly before the last brace is one.
 */
export function answeredBy({ start, end }: Edges): number | null | undefined {
  if (CALL.test(start)) return null;
  const id = ID_FIRST.exec(start) ?? (OUTCOME_FIRST.test(start) ? ID_LAST.exec(end) : null);
  return id === null ? undefined : Number(id[1]);
}

export function edgesOf(text: string): Edges {
  return { start: text.slice(0, EDGE_CHARS), end: text.slice(-EDGE_CHARS) };
}
