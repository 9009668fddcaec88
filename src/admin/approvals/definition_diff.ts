// Shows how two versions of an entry differ, member by member, for somebody who decides about it.
import { structuredPatch } from "diff";
import { canonicalText } from "../../store/approvals/canonical_json.ts";
import { isObject, type JsonObject } from "../../mcp/json_rpc.ts";
import { type Suspicion, suspicionsIn, visible } from "./suspicious_text.ts";

/** A member of an entry that differs, as text without hidden characters. */
export interface Difference {
  /** "instructions" for the instructions of an upstream. */
  readonly member: string;
  /** null: the member was not there. */
  readonly before: string | null;
  /** null: the member is gone. */
  readonly after: string | null;
  /** The hunks of a unified diff; null if one side is missing, or the texts are too different or too long. */
  readonly diff: string | null;
  /** Hidden characters of the new text. */
  readonly suspicions: readonly Suspicion[];
}

/** Limits of one diff: its time grows with the length and the edits. */
const MAX_DIFF_CHARS = 200_000;
const MAX_EDITS = 1_000;
const CONTEXT_LINES = 3;

/** @param before JSON text; null: there is no approved version */
export function differencesBetween(before: string | null, after: string): Difference[] {
  const old = membersOf(before === null ? {} : JSON.parse(before));
  const now = membersOf(JSON.parse(after));
  const names = [...new Set([...Object.keys(now), ...Object.keys(old)])];
  return names.flatMap((member) => {
    const [from, to] = [valueIn(old, member), valueIn(now, member)];
    if (from !== undefined && to !== undefined && canonicalText(from) === canonicalText(to)) return [];
    const [fromText, toText] = [shown(from), shown(to)];
    return [{
      member: visible(member),
      before: fromText,
      after: toText,
      diff: fromText === null || toText === null ? null : unified(fromText, toText),
      suspicions: to === undefined ? [] : suspicionsIn([member, to]),
    }];
  });
}

function membersOf(value: unknown): JsonObject {
  return isObject(value) ? value : { instructions: value };
}

function valueIn(members: JsonObject, name: string): unknown {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}

/** Strings as they are, other values as JSON in lines. */
function shown(value: unknown): string | null {
  if (value === undefined) return null;
  return visible(typeof value === "string" ? value : JSON.stringify(sorted(value), null, 2));
}

/** The order of members is no difference. */
function sorted(value: unknown): unknown {
  return JSON.parse(canonicalText(value));
}

function unified(before: string, after: string): string | null {
  if (before.length + after.length > MAX_DIFF_CHARS) return null;
  const patch = structuredPatch("before", "after", `${before}\n`, `${after}\n`, undefined, undefined, {
    context: CONTEXT_LINES,
    maxEditLength: MAX_EDITS,
  });
  if (patch === undefined) return null;
  return patch.hunks.map(({ oldStart, oldLines, newStart, newLines, lines }) => {
    const head = `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`;
    return [head, ...lines].join("\n");
  }).join("\n");
}
