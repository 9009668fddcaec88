// Matches URIs against resource templates, for the levels of RFC 6570 that MCP servers use: {x}, {+x}, {#x}, {/x}, {?x,y},
// {x*}.

export interface UriTemplate {
  matches(uri: string): boolean;
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

/** Longer URIs match no template. */
const MAX_URI_CHARS = 65_536;

/**
 * Compiles a template. An invalid template stays listed and matches only itself. Matching avoids regular expressions, because
 * template and URI come from others and backtracking takes polynomial time. This takes parts × characters.
 */
export function compileUriTemplate(template: string): UriTemplate {
  const parts = template.split(/(\{[^{}]*\})/).filter((part) => part !== "").map((part) => {
    const expression = /^\{([+#./;?&]?)[^{}]+\}$/.exec(part);
    return expression === null ? part : EXPANSIONS[expression[1]!]!;
  });
  const [first = "", ...rest] = parts;
  const prefix = typeof first === "string" ? first : "";
  const steps = typeof first === "string" ? rest : parts;
  return {
    matches(uri) {
      if (uri.length > MAX_URI_CHARS || !uri.startsWith(prefix)) return false;
      // reached[i]: the parts so far can produce the first i characters.
      let reached = new Uint8Array(uri.length + 1);
      reached[prefix.length] = 1;
      for (const step of steps) {
        reached = typeof step === "string"
          ? afterLiteral(uri, step, reached)
          : afterExpansion(uri, step, reached);
      }
      return reached[uri.length] === 1;
    },
  };
}

function afterLiteral(uri: string, literal: string, reached: Uint8Array): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(reached.length);
  for (let at = uri.indexOf(literal); at >= 0; at = uri.indexOf(literal, at + 1)) {
    if (reached[at] === 1) next[at + literal.length] = 1;
  }
  return next;
}

function afterExpansion(
  uri: string,
  { lead, endsAt }: Expansion,
  reached: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(reached.length);
  let isInside = false;
  for (let at = 0; at <= uri.length; at++) {
    // Only an expansion with a lead may be empty.
    if (isInside || (lead !== null && reached[at] === 1)) next[at] = 1;
    const character = uri.charAt(at);
    isInside = (isInside && !endsAt.includes(character)) ||
      (reached[at] === 1 && (lead === null ? !endsAt.includes(character) : character === lead));
  }
  return next;
}
