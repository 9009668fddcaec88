// The claims of other issuers' tokens (JWT_ISSUERS), and the principal that they describe. Only the claims that the setting names
// count: what ContextForge's tokens say of teams, scopes and administration is not read.
import type { TokenIssuer } from "../config/settings/token_keys.ts";
import { isObject, type JsonObject } from "../mcp/json_rpc.ts";
import type { Principal } from "./principal.ts";
import { timesAndId } from "./token_claims.ts";

/** The principal of a verified token. */
export function foreignPrincipalOf(claims: JsonObject, sub: string, rules: TokenIssuer): Principal {
  const groups = new Set(textsOf(claimAt(claims, rules.groups_claim)));
  // An issuer chooses subjects freely, so that a subject alone must never be the email address or the id of a user here.
  const person = emailOf(claims, rules) ?? `${rules.issuer}|${sub}`;
  const isAdmin = rules.admin_groups.some((group) => groups.has(group));
  const teams = Object.entries(rules.teams).filter(([group]) => groups.has(group)).map(([, team]) => team);
  return {
    kind: "user",
    subject: person,
    issuer: rules.issuer,
    email: person,
    isAdmin,
    teams: isAdmin ? null : [...new Set(teams)],
    serverId: null,
    permissions: null,
    ...timesAndId(claims),
    // Without a mapping, the teams are those of the user record.
    isLogin: Object.keys(rules.teams).length === 0,
    apiToken: null,
    limits: null,
    grants: null,
  };
}

/** The email address, if the issuer has verified it or the setting trusts it; null otherwise. */
function emailOf(claims: JsonObject, { email_claim, trust_email }: TokenIssuer): string | null {
  const email = claimAt(claims, email_claim);
  if (typeof email !== "string" || !/^[^\s@|]+@[^\s@|]+$/.test(email)) return null;
  const isVerified = claims.email_verified === true || (trust_email && claims.email_verified === undefined);
  return isVerified ? email.toLowerCase() : null;
}

/** A claim by its name, or by the path to it: `realm_access.roles`. */
function claimAt(claims: JsonObject, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  return name.split(".").reduce<unknown>(
    (value, part) => isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined,
    claims,
  );
}

function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
