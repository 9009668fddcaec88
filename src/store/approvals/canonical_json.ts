// One text for each JSON value, so that a hash of it tells whether two values are the same: the members of objects are sorted by their
// names, as in RFC 8785 (JSON Canonicalization Scheme).
import { isObject } from "../../mcp/json_rpc.ts";

export function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value).sort().map((key) =>
    `${JSON.stringify(key)}:${canonicalText(value[key])}`
  );
  return `{${members.join(",")}}`;
}

/**
 * The same JSON without repeated members, of which parsers read different ones. A text that repeats none stays as it is written.
 * @param text valid JSON
 */
export function withoutRepeatedMembers(text: string): string {
  const value: unknown = JSON.parse(text);
  return membersIn(text) === membersOf(value) ? text : canonicalText(value);
}

/** The members that the text writes: each has one colon outside of strings. */
function membersIn(text: string): number {
  let members = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === ":") members++;
    if (text[at] !== '"') continue;
    for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++;
  }
  return members;
}

/** The members that a parser finds. */
function membersOf(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + membersOf(each), 0);
  if (!isObject(value)) return 0;
  return Object.values(value).reduce((sum: number, each) => sum + membersOf(each), Object.keys(value).length);
}
