// Names that are not settings of this gateway: which are mistakes, which the operator is told of, and which belong to
// other programs.

import { nearName } from "./near_name.ts";
import { foreignFamily, type ForeignSetting, foreignSetting } from "./settings/contextforge.ts";

/** A layer of settings that has names of all sorts, known and unknown. */
export type NamedLayer = ".env beside the database" | ".env" | "environment";

/** A name that was given and has no effect. */
export interface IgnoredName {
  readonly name: string;
  readonly from: NamedLayer;
  /**
   * `protection`: ContextForge protects something, or lets somebody in, by the value that was given. `contextforge`: any other
   * setting of ContextForge. `similar`: another program's name that resembles a setting. `unknown`: nobody's that we know.
   */
  readonly kind: typeof KINDS[number];
  /** What the name means elsewhere, and what to do instead; null for an unknown name. */
  readonly reason: string | null;
}

/** In the order in which they are told. */
const KINDS = ["protection", "similar", "contextforge", "unknown"] as const;

/** Names that begin so are meant for a gateway: an unknown one is worth a warning even in the environment. */
const GATEWAY_PREFIXES = [
  "MCP_SESSION_POOL_",
  "GRANIAN_",
  "GUNICORN_",
  "HTTPX_",
  "HTTP_CLIENT_",
  "DB_POOL_",
  "SSRF_",
];

/** Common names of other programs that resemble a setting: they must not stop the start. */
const SIMILAR_NAMES: ReadonlySet<string> = new Set([
  "ALLOWED_ORIGIN",
  "CERTFILE",
  "DATABASE_SSL",
  "DATABASE_URI",
  "DEVMODE",
  "KEYFILE",
  "LOGFORMAT",
  "LOGLEVEL",
  "REDIS_URI",
  "UVICORN_WORKERS",
  "WORKER",
]);

const MAX_NAMES_SHOWN = 20;

/**
 * Judges a name that is not a setting.
 * @param known every name of a setting
 * @returns a mistake in words, a name to tell the operator of, or null for a name of another program
 */
export function judgeUnknown(
  { name, text, from }: { name: string; text: string; from: NamedLayer },
  known: Iterable<string>,
): { readonly mistake: string } | IgnoredName | null {
  const upper = name.toUpperCase();
  const setting = foreignSetting(upper);
  if (setting === null) {
    const near = nearName(upper, known);
    if (near !== null && SIMILAR_NAMES.has(upper)) {
      return { name, from, kind: "similar", reason: `Did you mean ${near}?` };
    }
    if (near !== null) return { mistake: `${name} (${from}): unknown setting; did you mean ${near}?` };
  }
  const foreign = setting ?? foreignFamily(upper);
  if (foreign !== null && !(foreign.isCommon && from === "environment")) {
    return text.trim() === ""
      ? null
      : { name, from, kind: kindOf(foreign, text), reason: reasonFor(foreign) };
  }
  const isOurs = from !== "environment" || GATEWAY_PREFIXES.some((prefix) => upper.startsWith(prefix));
  return isOurs ? { name, from, kind: "unknown", reason: null } : null;
}

/** The same names, the most important kind first. */
export function byImportance(names: readonly IgnoredName[]): IgnoredName[] {
  return names.toSorted((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind));
}

/** Sentences about `names`: one for each reason that matters, and one for the rest of each file or environment. */
export function warningsAbout(names: readonly IgnoredName[]): { first: string[]; last: string[] } {
  const explained = Map.groupBy(
    names.filter(({ kind }) => kind === "protection" || kind === "similar"),
    ({ from, reason }) => `(${from}). ${reason}`,
  );
  const rest = Map.groupBy(
    names.filter(({ kind }) => kind === "contextforge" || kind === "unknown"),
    ({ from, kind }) =>
      kind === "unknown"
        ? `Not settings of this gateway, ignored (${from})`
        : `Settings of ContextForge without effect here (${from})`,
  );
  return {
    first: [...explained].map(([sentence, group]) =>
      `No effect: ${listed(group.map(({ name }) => name))} ${sentence}`
    ),
    last: [...rest].map(([sentence, group]) => `${sentence}: ${listed(group.map(({ name }) => name))}`),
  };
}

/** The names as a list in words, cut where a warning would grow too long. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES_SHOWN).join(", ");
  const more = names.length - MAX_NAMES_SHOWN;
  return more > 0 ? `${shown} and ${more} more (\`sluice config\` names them all)` : shown;
}

function kindOf({ isSecurity, same }: ForeignSetting, text: string): "protection" | "contextforge" {
  return isSecurity && !meansSame(text, same) ? "protection" : "contextforge";
}

/** Is the text the value with which ContextForge behaves as the gateway? Its booleans have several spellings. */
function meansSame(text: string, same: string | null): boolean {
  const word = text.trim().toLowerCase();
  const spellings: Readonly<Record<string, string>> = {
    "1": "true",
    yes: "true",
    on: "true",
    "0": "false",
    no: "false",
    off: "false",
  };
  return (spellings[word] ?? word) === same;
}

function reasonFor({ there, here }: ForeignSetting): string {
  return `In ContextForge: ${there}. Here: ${here}.`;
}
