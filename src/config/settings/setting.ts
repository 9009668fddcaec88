// Room `settings`: the tables of all settings. This file has the type of a row and the kinds of values. `schema.ts` joins the
// tables.

import * as z from "zod";
import { parseNetwork } from "../../base/egress/egress_guard_address.ts";

/** The unit of the text. In Config, `s` and `ms` are milliseconds; `MiB` and `bytes` stay as written. */
export type Unit = "s" | "ms" | "bytes" | "MiB" | null;

/** Converts a setting's text to its value. `accepts` completes the sentence "must be ...". */
export interface Kind<T, U extends Unit> {
  readonly schema: z.ZodType<T, string>;
  readonly unit: U;
  readonly accepts: string;
}

/**
 * `active`: the setting has an effect. `inert`: the setting cannot have an effect, and its doc gives the reason.
 */
export type SettingState = "active" | "inert";

export interface Setting {
  /** The canonical environment variable. */
  readonly name: string;
  /** Names of the same setting in other servers. */
  readonly aliases?: readonly string[];
  readonly kind: Kind<unknown, Unit>;
  /** The default as text; null if the setting is not set by default. */
  readonly default: string | null;
  /** Another setting: where it is given and this one is not, its value is this one's. */
  readonly follows?: string;
  /** The default of `serve --dev`, if it differs. */
  readonly devDefault?: string | ((cores: number) => string);
  /** The value of the text "auto" on a machine with this number of cores. */
  readonly auto?: (cores: number) => number;
  /** To whom a limit applies. `replica`: all processes that share the database need the same value. */
  readonly scope: "process" | "worker" | "replica";
  /** Can a running process load a new value? */
  readonly reloadable: boolean;
  /** `value`: the value is never shown. `url`: the value is shown without its password. */
  readonly secret?: "value" | "url";
  /** Does the first start make a random value and keep it beside the database? */
  readonly isGenerated?: true;
  readonly state: SettingState;
  /** What the setting does, in sentences. For an inert setting: the reason, to follow a colon. */
  readonly doc: string;
}

/** One row. It keeps its literal types: Config is derived from them. */
export function setting<const S extends Setting>(row: S): S {
  return row;
}

/** Makes a kind. @param read returns undefined for text that it does not accept */
export function kind<T, U extends Unit>(
  unit: U,
  accepts: string,
  read: (text: string) => T | undefined,
): Kind<T, U> {
  const schema = z.string().transform((text, context) => {
    const value = read(text.trim());
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: `must be ${accepts}` });
    return z.NEVER;
  });
  return { schema, unit, accepts };
}

export function text(accepts: string, pattern: RegExp): Kind<string, null> {
  return kind(null, accepts, (given) => pattern.test(given) ? given : undefined);
}

export function bool(): Kind<boolean, null> {
  return kind(null, "true or false (1/0, yes/no, on/off)", (given) => {
    const word = given.toLowerCase();
    if (["true", "1", "yes", "on"].includes(word)) return true;
    if (["false", "0", "no", "off"].includes(word)) return false;
    return undefined;
  });
}

/** A whole number without unit. */
export function int(bounds: { min: number; max: number; hint?: string }): Kind<number, null> {
  return whole(null, bounds);
}

export function bytes(bounds: { min: number; max: number }): Kind<number, "bytes"> {
  return whole("bytes", bounds);
}

export function mebibytes(bounds: { min: number; max: number; hint?: string }): Kind<number, "MiB"> {
  return whole("MiB", bounds);
}

export function milliseconds(bounds: { min: number; max: number }): Kind<number, "ms"> {
  return whole("ms", bounds);
}

/** The longest time of a timer (2^31 - 1 ms), in whole days. */
export const MAX_SECONDS = 24 * 86_400;

/** The text is seconds, with fractions; the value is whole milliseconds. */
export function seconds(bounds: { min?: number; max?: number; hint?: string } = {}): Kind<number, "s"> {
  const { min = 0.001, max = MAX_SECONDS, hint } = bounds;
  return kind("s", `a number of seconds from ${min} to ${max}${hint ? ` (${hint})` : ""}`, (given) => {
    const value = decimal(given);
    return value !== undefined && value >= min && value <= max ? Math.round(value * 1000) : undefined;
  });
}

/** A growth factor: 1 or more, with fractions. */
export function factor(): Kind<number, null> {
  const max = 10;
  return kind(null, `a number from 1 to ${max}`, (given) => {
    const value = decimal(given);
    return value !== undefined && value >= 1 && value <= max ? value : undefined;
  });
}

/** One of `words`, in upper or lower case. `synonyms` maps further words to one of them. */
export function oneOf<const W extends string>(
  words: readonly W[],
  synonyms: Readonly<Record<string, W>> = {},
): Kind<W, null> {
  return kind(null, `one of ${words.join(", ")}`, (given) => {
    const same = (word: string) => word.toLowerCase() === given.toLowerCase();
    const synonym = Object.keys(synonyms).find(same);
    return words.find(same) ?? (synonym === undefined ? undefined : synonyms[synonym]);
  });
}

/**
 * A list, as JSON (`["a","b"]`) or separated by commas. `accept` must accept each item; empty items and repeats are dropped.
 * @param ofOthers other programs have the variable too, and write a bracket before an address: such a text is no mistaken JSON
 */
export function list<T extends string = string>(
  items: string,
  accept: (item: string) => T | undefined,
  { ofOthers = false } = {},
): Kind<readonly T[], null> {
  return kind(null, `a list of ${items}, separated by commas or as a JSON array`, (given) => {
    const words = splitList(given) ?? (ofOthers ? splitAtCommas(given) : undefined);
    if (words === undefined) return undefined;
    const values = words.map(accept);
    return values.includes(undefined) ? undefined : [...new Set(values as T[])];
  });
}

/** `item` if it is an IP address or a network like 10.0.0.0/8; undefined otherwise. */
export function network(item: string): string | undefined {
  return parseNetwork(item) === null ? undefined : item;
}

/** `item` if it is a valid header name (a token of RFC 9110); undefined otherwise. */
export function headerName(item: string): string | undefined {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(item) ? item : undefined;
}

function splitList(given: string): string[] | undefined {
  if (!given.startsWith("[")) return splitAtCommas(given);
  let words: unknown;
  try {
    words = JSON.parse(given);
  } catch {
    return undefined;
  }
  if (!Array.isArray(words) || words.some((word) => typeof word !== "string")) return undefined;
  return trimmed(words);
}

function splitAtCommas(given: string): string[] {
  return trimmed(given.split(","));
}

function trimmed(words: readonly string[]): string[] {
  return words.map((word) => word.trim()).filter((word) => word !== "");
}

function whole<U extends Unit>(
  unit: U,
  bounds: { min: number; max: number; hint?: string },
): Kind<number, U> {
  const { min, max, hint } = bounds;
  return kind(unit, `a whole number from ${min} to ${max}${hint ? ` (${hint})` : ""}`, (given) => {
    const value = decimal(given);
    return value !== undefined && Number.isInteger(value) && value >= min && value <= max ? value : undefined;
  });
}

function decimal(given: string): number | undefined {
  return /^[+-]?\d+(\.\d*)?$/.test(given) ? Number(given) : undefined;
}
