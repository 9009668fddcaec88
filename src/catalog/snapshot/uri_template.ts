// Matches URIs against resource templates, for the levels of RFC 6570 that MCP servers use: {x}, {+x}, {#x}, {/x}, {?x,y},
// {x*}.

export interface UriTemplate {
  /** The literal text before the first expression. */
  readonly prefix: string;
  /** An expansion of the template, with the same value for every expression. */
  readonly sample: string;
  /** Whether the URI is an expansion of the template. The answer is no if it takes more steps than `effort` has left. */
  matches(uri: string, effort?: Effort): boolean;
  /** The template as FastMCP reads it, where `{path*}` takes several segments; null: the same as this one. */
  readonly lenient: Pick<UriTemplate, "matches"> | null;
}

/** The steps that a match may still take. A part of a template takes one for each character. */
export interface Effort {
  steps: number;
}

/**
 * The possible expansions of an expression: `lead` and characters outside `endsAt`, or nothing. Without `lead`, at least one
 * character.
 */
interface Expansion {
  readonly lead: string | null;
  /** Simple expansion percent-encodes all characters except unreserved ones. */
  readonly endsAt: string;
}

interface Literal {
  readonly literal: string;
  /** See `bordersOf`. */
  readonly borders: Uint32Array;
}

const EXPANSIONS: Readonly<Record<string, Expansion>> = {
  "": { lead: null, endsAt: "/?#" },
  "+": { lead: null, endsAt: "" },
  "#": { lead: "#", endsAt: "" },
  ".": { lead: ".", endsAt: "/?#" },
  "/": { lead: "/", endsAt: "?#" },
  ";": { lead: ";", endsAt: "?#" },
  "?": { lead: "?", endsAt: "#" },
  "&": { lead: "&", endsAt: "#" },
};

/** `{path*}` as FastMCP and others read it. RFC 6570 encodes the slashes of a value, so such URIs are no expansions. */
const SEVERAL_SEGMENTS: Expansion = { lead: null, endsAt: "?#" };

/** Longer URIs match no template. */
const MAX_URI_CHARS = 65_536;

/** Enough for ten expressions and a URI of 20,000 characters; a few milliseconds. */
const MAX_STEPS = 400_000;

/** The effort for one URI and the templates of one upstream. */
export function newEffort(): Effort {
  return { steps: MAX_STEPS };
}

/**
 * Compiles a template. An invalid template stays listed and matches only itself. Matching avoids regular expressions, because
 * template and URI come from others and backtracking takes polynomial time. This takes parts × characters, within `Effort`.
 */
export function compileUriTemplate(template: string): UriTemplate {
  const texts = template.split(/(\{[^{}]*\})/).filter((part) => part !== "");
  const parts = texts.map((part) => {
    const expression = /^\{([+#./;?&]?)[^{}]+\}$/.exec(part);
    return expression === null ? part : EXPANSIONS[expression[1]!]!;
  });
  const segments = parts.map((part, i) => /^\{\w+\*\}$/.test(texts[i]!) ? SEVERAL_SEGMENTS : part);
  return {
    prefix: literalOf(parts[0]),
    sample: parts.map((part) => typeof part === "string" ? part : `${part.lead ?? ""}x`).join(""),
    matches: matcherOf(parts),
    lenient: segments.includes(SEVERAL_SEGMENTS) ? { matches: matcherOf(segments) } : null,
  };
}

function matcherOf(parts: readonly (string | Expansion)[]): UriTemplate["matches"] {
  const prefix = literalOf(parts[0]);
  const suffix = literalOf(parts.at(-1));
  const steps = (prefix === "" ? parts : parts.slice(1)).map((part): Literal | Expansion =>
    typeof part === "string" ? { literal: part, borders: bordersOf(part) } : part
  );
  return (uri, effort = newEffort()) => {
    if (effort.steps < 0 || uri.length > MAX_URI_CHARS) return false;
    if (!uri.startsWith(prefix) || !uri.endsWith(suffix)) return false;
    // reached[i]: the parts so far can produce the first i characters.
    let reached = new Uint8Array(uri.length + 1);
    let from = prefix.length;
    reached[from] = 1;
    for (const step of steps) {
      effort.steps -= uri.length - from + 1;
      if (effort.steps < 0) return false;
      reached = "literal" in step
        ? afterLiteral(uri, step, from, reached)
        : afterExpansion(uri, step, from, reached);
      from = reached.indexOf(1, from);
      if (from === -1) return false;
    }
    return reached[uri.length] === 1;
  };
}

function literalOf(part: string | Expansion | undefined): string {
  return typeof part === "string" ? part : "";
}

/**
 * Searches by Knuth, Morris and Pratt: `indexOf` compares a whole literal at each position of a URI that repeats its beginning.
 * @param from the first reached position
 */
function afterLiteral(
  uri: string,
  { literal, borders }: Literal,
  from: number,
  reached: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(reached.length);
  let matched = 0;
  for (let at = from; at < uri.length; at++) {
    while (matched > 0 && (matched === literal.length || literal[matched] !== uri[at])) {
      matched = borders[matched - 1]!;
    }
    if (literal[matched] === uri[at]) matched++;
    if (matched === literal.length && reached[at + 1 - matched] === 1) next[at + 1] = 1;
  }
  return next;
}

/** For each beginning of the text, the length of the longest shorter beginning that it ends with. */
function bordersOf(text: string): Uint32Array {
  const borders = new Uint32Array(text.length);
  let matched = 0;
  for (let at = 1; at < text.length; at++) {
    while (matched > 0 && text[matched] !== text[at]) matched = borders[matched - 1]!;
    if (text[matched] === text[at]) matched++;
    borders[at] = matched;
  }
  return borders;
}

function afterExpansion(
  uri: string,
  { lead, endsAt }: Expansion,
  from: number,
  reached: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(reached.length);
  let isInside = false;
  for (let at = from; at <= uri.length; at++) {
    // Only an expansion with a lead may be empty.
    if (isInside || (lead !== null && reached[at] === 1)) next[at] = 1;
    const character = uri.charAt(at);
    isInside = (isInside && !endsAt.includes(character)) ||
      (reached[at] === 1 && (lead === null ? !endsAt.includes(character) : character === lead));
  }
  return next;
}
