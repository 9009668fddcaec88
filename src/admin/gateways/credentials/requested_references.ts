// References to secrets in the credentials of a request: `${file:NAME}` and `${secret:NAME}`. They read what the operator keeps on the
// gateway's machine and send it to an upstream, so that nobody else may write one.
import type { Principal } from "../../../auth/principal.ts";
import { isOperator } from "../../../auth/rbac.ts";
import type { Credentials } from "../../../upstream/credentials.ts";
import { referencesIn } from "../../../upstream/identity/secret_references.ts";
import type { AdminDeps } from "../../rest/deps.ts";
import { type Fault, fault } from "../../rest/faults.ts";

const FORMER_TEXTS = fault(
  ["body"],
  "the stored credentials have texts that look like references and are none: send all credentials anew, after auth_type null",
);

/**
 * The credentials of a request, with the mark that their texts have references. Texts that were stored without the mark stay texts.
 * @param kept the stored credentials
 */
export function requestedReferences(
  credentials: Credentials | null,
  kept: Credentials | null,
  { deps, principal }: { readonly deps: Pick<AdminDeps, "secrets">; readonly principal: Principal },
): { readonly credentials: Credentials | null; readonly faults: readonly Fault[] } {
  if (credentials === null) return { credentials, faults: [] };
  const { references: _, ...plain } = credentials;
  const wanted = referencesIn(plain);
  const former = new Set(referencesIn(kept).map(({ written }) => written));
  const added = wanted.filter(({ written }) => !former.has(written));
  const isMarked = wanted.length > 0 && (added.length > 0 || kept?.references === true);
  const faults: Fault[] = [];
  const moved = isOperator(principal) ? undefined : movedText(plain, kept);
  if (moved !== undefined) {
    faults.push(fault(["body"], `only an administrator may refer to ${referencesIn(moved)[0]!.written}`));
  }
  for (const kind of new Set(added.map((reference) => reference.kind))) {
    const missing = deps.secrets.missingSetting(kind);
    if (missing !== null) {
      faults.push(fault(["body"], `a reference by \${${kind}:…} needs the setting ${missing}`));
    }
  }
  if (added.length > 0 && former.size > 0 && kept?.references !== true) faults.push(FORMER_TEXTS);
  return { credentials: isMarked ? { ...plain, references: true } : plain, faults };
}

/**
 * A text with references that is not stored at its place, or whose authorization server is another one. A caller who may change an
 * upstream must not have a secret sent elsewhere by writing its reference again.
 */
function movedText(credentials: Credentials, kept: Credentials | null): string | undefined {
  const stored = hasOtherServer(credentials, kept) ? new Map() : textsOf(kept);
  return [...textsOf(credentials)].find(([place, text]) =>
    referencesIn(text).length > 0 && stored.get(place) !== text
  )?.[1];
}

/** Of an OAuth login. The texts of other credentials have other paths. */
function hasOtherServer(credentials: Credentials, kept: Credentials | null): boolean {
  if (credentials.type !== "oauth" || kept?.type !== "oauth") return false;
  return credentials.issuer !== kept.issuer || credentials.tokenUrl !== kept.tokenUrl ||
    credentials.login?.authorizationUrl !== kept.login?.authorizationUrl;
}

/** All texts by their paths. */
function textsOf(value: unknown, path = ""): Map<string, string> {
  if (typeof value === "string") return new Map([[path, value]]);
  if (value === null || typeof value !== "object") return new Map();
  return new Map(Object.entries(value).flatMap(([name, each]) => [...textsOf(each, `${path}/${name}`)]));
}
