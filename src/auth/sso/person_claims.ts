// Room `sso`: sign-in of people at identity providers. Other rooms use `SingleSignOn`, and read claims and groups by this file.
//
// What the claims of an identity provider say of a person: the email address, the groups, and what these mean here.
import type { GroupMapping } from "../../config/settings/sso/group_mapping.ts";
import { isEmailAddress } from "../logins/email_address.ts";
import { isObject, type JsonObject } from "../../mcp/json_rpc.ts";

export interface EmailRules {
  readonly email_claim: string;
  readonly trust_email: boolean;
}

/**
 * The email address in lower case, if the provider has verified it or the setting trusts it; null otherwise. A bar in an address could
 * stand between an issuer and a subject.
 */
export function verifiedEmail(claims: JsonObject, { email_claim, trust_email }: EmailRules): string | null {
  const email = claimAt(claims, email_claim);
  if (typeof email !== "string" || !isEmailAddress(email) || email.includes("|")) return null;
  const { email_verified } = claims;
  const isVerified = email_verified === true || (trust_email && email_verified === undefined);
  return isVerified ? email.toLowerCase() : null;
}

/** A claim by its name, or by the path to it: `realm_access.roles`. */
export function claimAt(claims: JsonObject, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  // The names on the way may have dots themselves: `resource_access.my.client.roles`.
  for (let at = name.indexOf("."); at > 0; at = name.indexOf(".", at + 1)) {
    const inner = Object.hasOwn(claims, name.slice(0, at)) ? claims[name.slice(0, at)] : undefined;
    const found = isObject(inner) ? claimAt(inner, name.slice(at + 1)) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The groups of all claims that `groups_claim` names. */
export function groupsOf(
  claims: JsonObject,
  { groups_claim }: Pick<GroupMapping, "groups_claim">,
): Set<string> {
  return new Set(groups_claim.flatMap((name) => textsOf(claimAt(claims, name))));
}

/**
 * Did Entra leave the groups out, because the person is in too many? It then names another address for them, which only an
 * application with rights in the directory can read (Microsoft identity platform, "Groups overage claim").
 */
export function leavesGroupsOut(
  claims: JsonObject,
  { groups_claim }: Pick<GroupMapping, "groups_claim">,
): boolean {
  const { _claim_names: elsewhere, hasgroups } = claims;
  const named = isObject(elsewhere) ? elsewhere : {};
  return groups_claim.some((name) =>
    claimAt(claims, name) === undefined && (Object.hasOwn(named, name) || hasgroups === true)
  );
}

/** What groups give. */
export interface Mapped {
  readonly isAdmin: boolean;
  /** Team by slug or id; `role` is `owner`, `member`, or another role. */
  readonly teams: readonly { readonly team: string; readonly role: string }[];
  /** Names of roles that count everywhere. */
  readonly roles: readonly string[];
}

export function mapped(groups: ReadonlySet<string>, { teams, roles, admin_groups }: GroupMapping): Mapped {
  const ofGroups = <T>(entries: Readonly<Record<string, T>>) =>
    Object.entries(entries).filter(([group]) => groups.has(group)).map(([, value]) => value);
  return {
    isAdmin: admin_groups.some((group) => groups.has(group)),
    teams: ofGroups(teams),
    roles: [...new Set(ofGroups(roles))],
  };
}

/** Do groups mean anything here? */
export function mapsGroups({ teams, roles, admin_groups }: GroupMapping): boolean {
  return Object.keys(teams).length + Object.keys(roles).length + admin_groups.length > 0;
}

function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
