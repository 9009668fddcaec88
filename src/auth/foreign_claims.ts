// The claims of other issuers' tokens (JWT_ISSUERS), and the principal that they describe. Only the claims that the setting names
// count: what ContextForge's tokens say of teams, scopes and administration is not read.
import type { TokenIssuer } from "../config/settings/token_keys.ts";
import type { JsonObject } from "../mcp/json_rpc.ts";
import type { Principal } from "./principal.ts";
import { groupsOf, mapped, verifiedEmail } from "./sso/person_claims.ts";
import { timesAndId } from "./token_claims.ts";

/** The principal of a verified token. */
export function foreignPrincipalOf(claims: JsonObject, sub: string, rules: TokenIssuer): Principal {
  // An issuer chooses subjects freely, so that a subject alone must never be the email address or the id of a user here.
  const person = verifiedEmail(claims, rules) ?? `${rules.issuer}|${sub}`;
  const { isAdmin, teams, roles } = mapped(groupsOf(claims, rules), rules);
  const hasTeams = Object.keys(rules.teams).length > 0;
  return {
    kind: "user",
    subject: person,
    issuer: rules.issuer,
    email: person,
    isAdmin,
    teams: isAdmin ? null : [...new Set(teams.map(({ team }) => team))],
    serverId: null,
    permissions: null,
    ...timesAndId(claims),
    // Without a mapping, the teams are those of the user record.
    isLogin: !hasTeams,
    apiToken: null,
    limits: null,
    grants: null,
    teamsLimitSight: true,
    given: hasTeams || givesRoles(rules)
      ? { isAdmin, teams, roles: givesRoles(rules) ? roles : null }
      : undefined,
  };
}

/** Do groups give roles here, so that a caller without a user record has these in place of the rights of everybody? */
function givesRoles({ roles, teams }: TokenIssuer): boolean {
  return Object.keys(roles).length > 0 || Object.values(teams).some(({ role }) => role !== "member");
}
