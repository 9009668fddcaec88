import { assertEquals } from "@std/assert";
import type { TokenIssuer } from "../config/settings/token_keys.ts";
import { foreignPrincipalOf } from "./foreign_claims.ts";

const RULES: TokenIssuer = {
  issuer: "https://idp",
  jwks_uri: "https://idp/keys",
  audience: "sluice",
  algorithms: ["RS256"],
  allow_http: false,
  authorization_server: false,
  scopes: [],
  email_claim: "email",
  trust_email: false,
  groups_claim: ["groups"],
  teams: {},
  roles: {},
  admin_groups: [],
};

const member = (team: string, role = "member") => ({ team, role });

function principal(claims: Record<string, unknown>, rules: Partial<TokenIssuer> = {}) {
  return foreignPrincipalOf(claims, String(claims.sub ?? "17"), { ...RULES, ...rules });
}

Deno.test("foreignPrincipalOf() takes an email address that is verified or trusted, and no subject for one", () => {
  const email = (claims: Record<string, unknown>, rules?: Partial<TokenIssuer>) =>
    principal(claims, rules).email;
  const ann = { email: "Ann@X.org" };
  const none = "https://idp|17";
  assertEquals(email({ ...ann, email_verified: true }), "ann@x.org");
  assertEquals(email(ann), none);
  assertEquals(email(ann, { trust_email: true }), "ann@x.org");
  assertEquals(email({ ...ann, email_verified: false }, { trust_email: true }), none);
  assertEquals(email({ ...ann, email_verified: "true" }), none);
  assertEquals(email({ upn: "bob@x.org", email_verified: true }, { email_claim: "upn" }), "bob@x.org");
  for (const odd of [7, ["ann@x.org"], "ann", "a b@x.org", "https://other|17@x"]) {
    assertEquals(email({ email: odd, email_verified: true }), none);
  }
  const admin = principal({ sub: "admin@example.com" });
  assertEquals([admin.email, admin.subject, admin.isAdmin], [
    "https://idp|admin@example.com",
    "https://idp|admin@example.com",
    false,
  ]);
});

Deno.test("foreignPrincipalOf() reads nothing of ContextForge's claims", () => {
  const claims = {
    is_admin: true,
    user: { is_admin: true, email: "root@x" },
    teams: null,
    scopes: { permissions: ["*"], server_id: "s1" },
    token_use: "session",
  };
  const { isAdmin, teams, serverId, permissions, email } = principal(claims);
  assertEquals([isAdmin, teams, serverId, permissions, email], [false, [], null, null, "https://idp|17"]);
});

Deno.test("foreignPrincipalOf() maps groups to teams and administrators, from a claim or the path to it", () => {
  const rules = {
    teams: { ops: member("t1"), dev: member("t2"), also: member("t1") },
    admin_groups: ["root"],
  };
  const teams = (groups: unknown) => principal({ groups }, rules).teams;
  assertEquals([teams(["ops", "also", "else"]), teams("dev"), teams([]), teams({ ops: 1 })], [
    ["t1"],
    ["t2"],
    [],
    [],
  ]);
  assertEquals(teams(["toString", "__proto__", 7]), []);
  const admin = principal({ groups: ["root", "ops"] }, rules);
  assertEquals([admin.isAdmin, admin.teams, admin.isLogin], [true, null, false]);
  const nested = { realm_access: { roles: ["root"] } };
  assertEquals(principal(nested, { ...rules, groups_claim: ["realm_access.roles"] }).isAdmin, true);
  const namespaced = { "https://x.org/groups": ["ops"] };
  assertEquals(principal(namespaced, { ...rules, groups_claim: ["https://x.org/groups"] }).teams, ["t1"]);
  assertEquals(principal({}, { groups_claim: ["__proto__.constructor"] }).teams, []);
  assertEquals(principal({}).isLogin, true);
});

Deno.test("foreignPrincipalOf() keeps what groups give, for teams by slug and for roles", () => {
  const teams = { ops: member("ops"), boss: member("ops", "owner") };
  const given = (rules: Partial<TokenIssuer>, groups = ["ops", "audit"]) =>
    principal({ groups }, rules).given;
  assertEquals(given({}), undefined);
  assertEquals(given({ teams: { ops: member("ops") } }), {
    isAdmin: false,
    teams: [member("ops")],
    roles: null,
  });
  assertEquals(given({ teams }), { isAdmin: false, teams: [member("ops")], roles: [] });
  assertEquals(given({ roles: { audit: "auditor" } }), { isAdmin: false, teams: [], roles: ["auditor"] });
});
