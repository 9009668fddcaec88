// Builds the gateway's names for upstreams' tools and prompts: `{gateway-slug}{separator}{tool-slug}`, each unique.
import type { Naming } from "../../store/registry/save_discovery.ts";

/** The settings for names. */
export interface ToolNameRules {
  readonly separator: string;
  /** Longer names are shortened; at least 32. */
  readonly maxLength: number;
}

/** Letters that Unicode decomposition leaves unchanged. */
const SPELLED_OUT: Readonly<Record<string, string>> = { æ: "ae", œ: "oe", ß: "ss", ø: "o", ł: "l", đ: "d" };

const MARKS = /\p{M}+/gu;

/**
 * Converts a text to lower-case ASCII letters and digits. Runs of other characters become one "-", except at the ends.
 * Accents and the apostrophe of a contraction are dropped ("Don't Café" gives "dont-cafe"). A text without any of these gives
 * a hash.
 */
export function slugify(text: string): string {
  const slug = text.toLowerCase()
    .replace(/(\p{L})['’](?=\p{L})/gu, "$1")
    .replace(/[æœßøłđ]/g, (letter) => SPELLED_OUT[letter])
    // Decomposition sorts a run of marks, in quadratic time. It only adds marks to letters.
    .replace(MARKS, "")
    .normalize("NFKD")
    .replace(MARKS, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  return slug === "" ? `x${hash(text)}` : slug;
}

/**
 * Builds a name. A name that is too long is cut and ends with a hash of the whole name, which is stable and distinct per
 * tool.
 */
export function toolName(
  gatewaySlug: string,
  toolSlug: string,
  { separator, maxLength }: ToolNameRules,
): string {
  const name = `${gatewaySlug}${separator}${toolSlug}`;
  return name.length <= maxLength ? name : withSuffix(name, `-${hash(name)}`, maxLength);
}

/**
 * Creates the naming for these rules. Items with equal names get "-2", "-3" and so on in the upstream's order. An item that
 * already has such a name keeps it, so that no call reaches another tool than before.
 */
export function createNaming(rules: ToolNameRules): Naming {
  const { maxLength } = rules;
  return (gatewaySlug, items) => {
    const preferred = items.map(({ originalName, customName }) =>
      toolName(gatewaySlug, slugify(customName ?? originalName), rules)
    );
    const taken = new Set<string>();
    const names: (string | undefined)[] = items.map(() => undefined);
    const claim = (i: number, name: string) => {
      if (names[i] !== undefined || taken.has(name)) return;
      names[i] = name;
      taken.add(name);
    };
    items.forEach(({ currentName }, i) => {
      if (currentName !== null && isVariant(currentName, preferred[i], maxLength)) claim(i, currentName);
    });
    preferred.forEach((name, i) => claim(i, name));
    const numbers = new NameNumbers();
    preferred.forEach((name, i) => {
      while (names[i] === undefined) claim(i, numbers.next(name, maxLength));
    });
    return names as string[];
  };
}

/** The names of one kind that belong to a gateway of the registry, whether or not it has an entry of that name now. */
export class RegistryNames {
  readonly #names: ReadonlySet<string>;
  readonly #slugs: ReadonlySet<string>;
  readonly #slugLengths: readonly number[];

  /**
   * @param names of all entries, those of dropped entries included
   * @param slugs of all gateways
   */
  constructor(names: Iterable<string>, slugs: Iterable<string>) {
    this.#names = new Set(names);
    this.#slugs = new Set(slugs);
    this.#slugLengths = [...new Set([...this.#slugs].map(({ length }) => length))];
  }

  /**
   * Whether a call for `name` must not reach an entry of gateway `slug` that has the name at its upstream only. Names that begin
   * with another gateway's slug are that gateway's, also after it has dropped the entry.
   */
  isOfAnother(name: string, slug: string): boolean {
    return this.#names.has(name) || this.#slugLengths.some((length) => {
      const first = name.slice(0, length);
      return /^[^a-z0-9]/.test(name.slice(length, length + 1)) && first !== slug && this.#slugs.has(first);
    });
  }
}

/** Whether `name` is the preferred name or one of its numbered forms. */
function isVariant(name: string, preferred: string, maxLength: number): boolean {
  if (name === preferred) return true;
  const number = /-([1-9][0-9]*)$/.exec(name)?.[1];
  return number !== undefined && name === withSuffix(preferred, `-${number}`, maxLength);
}

/** Room for "-" and five digits. */
const NUMBER_CHARS = 6;

/**
 * Numbers for names that are taken. Names with the same beginning share a counter: shortened for their numbers they would be equal,
 * and each of thousands would try all numbers of the others.
 */
export class NameNumbers {
  readonly #next = new Map<string, number>();

  /** The name with "-2", "-3" and so on. The caller asks again if this one is taken too. */
  next(name: string, maxLength: number): string {
    const beginning = name.slice(0, maxLength - NUMBER_CHARS);
    const number = this.#next.get(beginning) ?? 2;
    this.#next.set(beginning, number + 1);
    return withSuffix(name, `-${number}`, maxLength);
  }
}

/** Appends a suffix, and shortens the name to fit. */
export function withSuffix(name: string, suffix: string, maxLength: number): string {
  return name.slice(0, maxLength - suffix.length) + suffix;
}

/** FNV-1a, 32 bits, as 8 hex digits. Stable across restarts and machines; not secure. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  }
  return value.toString(16).padStart(8, "0");
}
