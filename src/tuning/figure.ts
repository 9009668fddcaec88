// One line of a planned configuration.

export interface Figure<Name extends string = string> {
  /** The name of the setting in its file. */
  readonly name: Name;
  readonly value: string;
  /** Which other values serve the plan as well. `auto` always does. */
  readonly serves:
    | { readonly from: number }
    | { readonly to: number }
    | "none"
    | "any";
  /** The formula with its numbers, its source, and where measurements of this program correct it. Sentences. */
  readonly why: string;
}

/** A limit. @param least the lowest value that serves */
export function atLeast<const N extends string>(
  name: N,
  value: number,
  why: string,
  least = value,
): Figure<N> {
  return { name, value: String(value), serves: { from: least }, why };
}

/** A time or size that must not be exceeded. 0 means that there is no limit, and does not serve. */
export function atMost<const N extends string>(name: N, value: number, why: string): Figure<N> {
  return { name, value: String(value), serves: { to: value }, why };
}

/** No other value serves. */
export function exactly<const N extends string>(name: N, value: string | number, why: string): Figure<N> {
  return { name, value: String(value), serves: "none", why };
}

/** A value that a new configuration begins with; another one may be intended. */
export function suggested<const N extends string>(name: N, value: string | number, why: string): Figure<N> {
  return { name, value: String(value), serves: "any", why };
}

/** Does the value that is in force serve as well as the advised one? Texts are compared without case and blanks around. */
export function isServed({ value, serves }: Figure, now: string): boolean {
  const [advised, given] = [value, now].map((text) => text.trim().toLowerCase());
  if (advised === given || serves === "any" || given === "auto") return true;
  // Redis writes sizes with their unit.
  const number = Number(given.replace(/mb$/, ""));
  if (given === "" || Number.isNaN(number)) return false;
  if (serves === "none") return number === Number(advised);
  return "from" in serves ? number >= serves.from : number > 0 && number <= serves.to;
}
