import { assertEquals } from "@std/assert";
import { claimAt, groupsOf, leavesGroupsOut, mapped, verifiedEmail } from "./person_claims.ts";

Deno.test("claimAt() finds a claim by its name or path, also where names have dots", () => {
  const claims = {
    "https://x.org/groups": ["a"],
    realm_access: { roles: ["b"] },
    resource_access: { "my.client": { roles: ["c"] } },
    "a.b": { c: 1 },
  };
  assertEquals(claimAt(claims, "https://x.org/groups"), ["a"]);
  assertEquals(claimAt(claims, "realm_access.roles"), ["b"]);
  assertEquals(claimAt(claims, "resource_access.my.client.roles"), ["c"]);
  assertEquals(claimAt(claims, "a.b.c"), 1);
  for (const name of ["a", "realm_access.none", "__proto__.constructor", "toString", "."]) {
    assertEquals(claimAt(claims, name), undefined);
  }
});

Deno.test("verifiedEmail() takes an address that is verified or trusted, and can be a user's", () => {
  const rules = { email_claim: "email", trust_email: false };
  const of = (claims: Record<string, unknown>, trust_email = false) =>
    verifiedEmail(claims, { ...rules, trust_email });
  assertEquals(of({ email: "Ann@X.org", email_verified: true }), "ann@x.org");
  assertEquals([of({ email: "a@x" }), of({ email: "a@x" }, true)], [null, "a@x"]);
  assertEquals(of({ email: "a@x", email_verified: false }, true), null);
  assertEquals(of({ email: "a@x", email_verified: "true" }), null);
  // The Kelvin sign would be k in lower case.
  assertEquals(of({ email: "\u212Aate@x.org", email_verified: true }), null);
  assertEquals(of({ email: "ÅSA@x.org", email_verified: true }), "åsa@x.org");
  for (const email of [7, "a", "a b@x", "a@x|17", "a\u0000@x", `${"a".repeat(250)}@x.org.org`]) {
    assertEquals(of({ email, email_verified: true }), null);
  }
});

Deno.test("groupsOf() and mapped() join the groups of all claims, and what they give", () => {
  const rules = {
    groups_claim: ["groups", "realm_access.roles"],
    teams: { ops: { team: "ops", role: "member" }, boss: { team: "ops", role: "owner" } },
    roles: { audit: "auditor", audit2: "auditor" },
    admin_groups: ["root"],
  };
  const groups = groupsOf({ groups: ["ops", 7, "audit"], realm_access: { roles: "audit2" } }, rules);
  assertEquals([...groups], ["ops", "audit", "audit2"]);
  assertEquals(mapped(groups, rules), {
    isAdmin: false,
    teams: [{ team: "ops", role: "member" }],
    roles: ["auditor"],
  });
  assertEquals(mapped(new Set(["root", "toString", "__proto__"]), rules), {
    isAdmin: true,
    teams: [],
    roles: [],
  });
});

Deno.test("leavesGroupsOut() tells Entra's overage from a person without groups", () => {
  const rules = { groups_claim: ["groups"] };
  assertEquals(leavesGroupsOut({ _claim_names: { groups: "src1" }, _claim_sources: {} }, rules), true);
  assertEquals(leavesGroupsOut({ hasgroups: true }, rules), true);
  assertEquals([leavesGroupsOut({}, rules), leavesGroupsOut({ groups: [], hasgroups: true }, rules)], [
    false,
    false,
  ]);
  assertEquals(leavesGroupsOut({ hasgroups: true, roles: ["a"] }, { groups_claim: ["roles"] }), false);
});
