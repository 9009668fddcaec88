// Text that hides something from its reader: characters that cannot be seen, that change the direction of a line, or that control a
// terminal, and text that is pushed out of sight. Models read all of it.

export type SuspicionKind =
  | "tag"
  | "bidi"
  | "control"
  | "invisible"
  | "private_use"
  | "blank_run"
  | "long_line";

export interface Suspicion {
  readonly kind: SuspicionKind;
  /** How often it occurs. */
  readonly count: number;
}

/** A character belongs to the first class that has it. */
const CLASSES: readonly [SuspicionKind, RegExp][] = [
  ["tag", /[\u{E0000}-\u{E007F}]/u],
  ["bidi", /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/],
  ["control", /[\p{Cc}\p{Zl}\p{Zp}]/u],
  ["invisible", /[\p{Cf}\p{Default_Ignorable_Code_Point}\u2800\u3164]/u],
  ["private_use", /\p{Co}/u],
];

/** Line breaks and tabs are shown as they are. U+FE0F after a symbol only makes an emoji of it. */
const HIDING = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Default_Ignorable_Code_Point}\u2800\u3164]/gu;
const EMOJI = /(?<=[\p{S}\p{N}#*])\uFE0F/gu;

/** Blanks or empty lines that push the rest out of the window. */
const BLANK_RUN = /[^\S\n]{40,}|\n[^\S\n]*(?:\n[^\S\n]*){9,}/g;

const MAX_LINE_CHARS = 2_000;

/** The text with each hiding character as `\u{200B}`. */
export function visible(text: string): string {
  return text.replace(
    HIDING,
    (character, at: number) =>
      character === "\uFE0F" && isAfterSymbol(text, at) ? character : escaped(character),
  );
}

/** The suspicious characters in the strings of a JSON value, by kind. */
export function suspicionsIn(value: unknown): Suspicion[] {
  const counts = new Map<SuspicionKind, number>();
  const count = (kind: SuspicionKind, times = 1) => counts.set(kind, (counts.get(kind) ?? 0) + times);
  for (const text of stringsIn(value)) {
    for (const [character] of text.replace(EMOJI, "").matchAll(HIDING)) {
      count(CLASSES.find(([, pattern]) => pattern.test(character))?.[0] ?? "invisible");
    }
    const blanks = text.match(BLANK_RUN)?.length ?? 0;
    if (blanks > 0) count("blank_run", blanks);
    const long = text.split("\n").filter((line) => line.length > MAX_LINE_CHARS).length;
    if (long > 0) count("long_line", long);
  }
  return [...counts].map(([kind, count]) => ({ kind, count }));
}

function* stringsIn(value: unknown): Generator<string> {
  if (typeof value === "string") yield value;
  else if (typeof value === "object" && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      if (!Array.isArray(value)) yield key;
      yield* stringsIn(member);
    }
  }
}

function isAfterSymbol(text: string, at: number): boolean {
  return /[\p{S}\p{N}#*]$/u.test(text.slice(Math.max(0, at - 2), at));
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}}`;
}
