// Shapes of JSON values that clients' parsers require, and the repair of values that differ. A repair changes only the faulty
// part of the text, so that numbers and unknown members keep their words.
import {
  elementTexts,
  isObject,
  type JsonObject,
  memberText,
  removeMember,
  replaceMember,
} from "./json_rpc.ts";

export interface Shape {
  readonly fits: (value: unknown) => boolean;
  /**
   * Repairs a value that does not fit.
   * @param note reports what was lost, by path
   * @returns the new text; null: the value cannot be repaired
   */
  readonly mend?: (value: unknown, text: string, note: Note) => string | null;
}

/** @param path is called only if the loss is told: of a thousand broken elements only the first are */
export type Note = (path: () => string, words: string) => void;

/** A member of an object. */
export interface Member extends Shape {
  /** The completion of "must be ...". */
  readonly words: string;
  /** The text that replaces an absent or null value; without it, a required member makes its object unusable. */
  readonly fallback?: (parent: JsonObject) => string | undefined;
  /** An optional member that makes its object unusable if it cannot be repaired. */
  readonly isEssential?: true;
}

export const STRING: Member = { fits: (value) => typeof value === "string", words: "a string" };
export const BOOLEAN: Member = { fits: (value) => typeof value === "boolean", words: "true or false" };
export const OBJECT: Member = { fits: isObject, words: "an object" };

export function oneOf(...values: readonly string[]): Member {
  return {
    fits: (value) => typeof value === "string" && values.includes(value),
    words: values.map((value) => JSON.stringify(value)).join(" or "),
  };
}

/** Elements that cannot be repaired are left out. */
export function listOf(element: Member): Member {
  return {
    fits: (value) => Array.isArray(value) && value.every(element.fits),
    mend: (value, text, note) => {
      if (!Array.isArray(value)) return null;
      const kept = elementTexts(text).flatMap((elementText, i) => {
        if (element.fits(value[i])) return [elementText];
        const noteIn: Note = (path, words) => note(() => `[${i}]${path()}`, words);
        const mended = element.mend?.(value[i], elementText, noteIn) ?? null;
        if (mended === null) note(() => `[${i}]`, element.words);
        return mended ?? [];
      });
      return `[${kept.join(",")}]`;
    },
    words: `a list, each ${element.words}`,
  };
}

export interface Members {
  readonly required?: Readonly<Record<string, Member>>;
  /** A null value means that the member is absent. One that cannot be repaired is left out: it is only a hint. */
  readonly optional: Readonly<Record<string, Member>>;
}

/** Members that neither table names are not examined. */
export function objectOf({ required = {}, optional }: Members, words = "an object"): Member {
  const requiredMembers = Object.entries(required);
  const optionalMembers = Object.entries(optional);
  return {
    fits: (value) =>
      isObject(value) && requiredMembers.every(([key, member]) => member.fits(own(value, key))) &&
      optionalMembers.every(([key, member]) => !Object.hasOwn(value, key) || member.fits(value[key])),
    mend: (value, text, note) => {
      if (!isObject(value)) return null;
      let mended = text;
      for (const [key, member] of requiredMembers) {
        if (member.fits(own(value, key))) continue;
        const memberNow = mendMember(value, key, member, text, note);
        if (memberNow === null) {
          note(() => `.${key}`, member.words);
          return null;
        }
        mended = setMember(mended, key, memberNow);
      }
      for (const [key, member] of optionalMembers) {
        if (!Object.hasOwn(value, key) || member.fits(value[key])) continue;
        const memberNow = value[key] === null ? null : mendMember(value, key, member, text, note);
        if (memberNow === null && value[key] !== null) note(() => `.${key}`, member.words);
        if (memberNow === null && value[key] !== null && member.isEssential) return null;
        mended = memberNow === null ? removeMember(mended, key) : setMember(mended, key, memberNow);
      }
      return mended;
    },
    words,
  };
}

function mendMember(
  parent: JsonObject,
  key: string,
  member: Member,
  text: string,
  note: Note,
): string | null {
  const value = own(parent, key);
  if (value === undefined || value === null) return member.fallback?.(parent) ?? null;
  return member.mend?.(
    value,
    memberText(text, key)!,
    (path, words) => note(() => `.${key}${path()}`, words),
  ) ?? null;
}

function setMember(text: string, key: string, value: string): string {
  return replaceMember(text, key, value);
}

function own(value: JsonObject, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}
