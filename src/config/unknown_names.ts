// Judges names that are not settings: a misspelling stops the start, a setting of another gateway gets a warning, and a name
// of another program is left alone.

import { nearName } from "./near_name.ts";
import { foreignFamily, type ForeignSetting, foreignSetting } from "./settings/contextforge.ts";

/** A layer of settings that may contain names which are not settings. */
export type NamedLayer = ".env beside the database" | ".env" | "environment";

/** A name that has a value and no effect. */
export interface IgnoredName {
  readonly name: string;
  readonly from: NamedLayer;
  /**
   * `protection`: with this value ContextForge protects something, or gives access. `contextforge`: any other setting of
   * ContextForge. `similar`: another program's name that resembles a setting. `unknown`: any other name.
   */
  readonly kind: typeof KINDS[number];
  /** What the setting does in ContextForge, and what the gateway does instead; null for an unknown name. */
  readonly reason: string | null;
}

/** In the order of the warnings. */
const KINDS = ["protection", "similar", "contextforge", "unknown"] as const;

/** A name with one of these prefixes is meant for a gateway: it gets a warning even in the environment. */
const GATEWAY_PREFIXES = [
  "MCP_SESSION_POOL_",
  "GRANIAN_",
  "GUNICORN_",
  "HTTPX_",
  "HTTP_CLIENT_",
  "DB_POOL_",
  "SSRF_",
];

/** Common names of other programs that resemble a setting. They get a warning and do not stop the start. */
const SIMILAR_NAMES: ReadonlySet<string> = new Set([
  "ALLOWED_ORIGIN",
  "CERTFILE",
  "CGO_ENABLED",
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
 * @returns a mistake as a sentence, a name to warn of, or null for a name of another program
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

/** The warnings about `names`: one for each reason, and one for the rest of each layer. */
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

/** The names as text. A long list is cut. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES_SHOWN).join(", ");
  const more = names.length - MAX_NAMES_SHOWN;
  return more > 0 ? `${shown} and ${more} more (\`sluice config\` names them all)` : shown;
}

function kindOf({ isSecurity, same }: ForeignSetting, text: string): "protection" | "contextforge" {
  return isSecurity && !meansSame(text, same) ? "protection" : "contextforge";
}

/** Does ContextForge behave like the gateway with this value? Booleans have several spellings. */
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
