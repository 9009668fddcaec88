// How tools and prompts of upstreams are called here: `{gateway-slug}{separator}{tool-slug}`, each name once.
import type { Naming } from "../../store/registry/save_discovery.ts";

/** The settings that make a name. */
export interface ToolNameRules {
  readonly separator: string;
  /** Longer names are shortened; at least 32. */
  readonly maxLength: number;
}

/** Letters that Unicode's decomposition leaves as they are. */
const SPELLED_OUT: Readonly<Record<string, string>> = { æ: "ae", œ: "oe", ß: "ss", ø: "o", ł: "l", đ: "d" };

/**
 * Lower-case ASCII letters and digits, every run of anything else as one "-", none at the ends; accents and the
 * apostrophe of a contraction fall away ("Don't Café" gives "dont-cafe"). A text with nothing to keep gives a hash of it.
 */
export function slugify(text: string): string {
  const slug = text.toLowerCase()
    .replace(/(\p{L})['’](?=\p{L})/gu, "$1")
    .replace(/[æœßøłđ]/g, (letter) => SPELLED_OUT[letter])
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  return slug === "" ? `x${hash(text)}` : slug;
}

/** A name that would be too long is cut, and ends with a hash of the whole: the same one every time, and another for another tool. */
export function toolName(
  gatewaySlug: string,
  toolSlug: string,
  { separator, maxLength }: ToolNameRules,
): string {
  const name = `${gatewaySlug}${separator}${toolSlug}`;
  return name.length <= maxLength ? name : withSuffix(name, `-${hash(name)}`, maxLength);
}

/**
 * The naming by these rules. Items whose names would be the same get "-2", "-3" and so on in
 * the upstream's order; but what has such a name already keeps it, so that no call ever reaches another tool than before.
 */
export function createNaming(rules: ToolNameRules): Naming {
  const numbered = (wish: string, n: number) => withSuffix(wish, `-${n}`, rules.maxLength);
  return (gatewaySlug, items) => {
    const wishes = items.map(({ originalName, customName }) =>
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
      if (currentName !== null && isVariant(currentName, wishes[i], numbered)) claim(i, currentName);
    });
    wishes.forEach((wish, i) => claim(i, wish));
    const next = new Map<string, number>(); // by wish, so that thousands of equal ones stay cheap
    wishes.forEach((wish, i) => {
      let n = next.get(wish) ?? 2;
      while (names[i] === undefined) claim(i, numbered(wish, n++));
      next.set(wish, n);
    });
    return names as string[];
  };
}

/** Is `name` the wish itself, or one of its numbered forms? */
function isVariant(name: string, wish: string, numbered: (wish: string, n: number) => string): boolean {
  if (name === wish) return true;
  const number = /-([1-9][0-9]*)$/.exec(name)?.[1];
  return number !== undefined && name === numbered(wish, Number(number));
}

/** The name and the suffix, of the name as much as fits. */
export function withSuffix(name: string, suffix: string, maxLength: number): string {
  return name.slice(0, maxLength - suffix.length) + suffix;
}

/** FNV-1a, 32 bits, as 8 hex digits: stable across restarts and machines, no security in it. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  }
  return value.toString(16).padStart(8, "0");
}
