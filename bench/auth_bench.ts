// A token that was seen before against one that must be verified; a sealed session id likewise; who may call a tool.
import { NOBODY } from "../src/auth/people.ts";
import { NO_TOKEN_CHANGES } from "../src/auth/token_changes.ts";
import { canSee, requirePermission } from "../src/auth/rbac.ts";
import { grantOf, memberOf, peopleOf, userOf } from "../tests/support/people_rows.ts";
import { principal } from "../tests/support/fakes.ts";
import { Authenticator } from "../src/auth/authenticate.ts";
import { JwtVerifier, ownIssuer } from "../src/auth/jwt.ts";
import { keysOfSecret, signToken } from "../src/auth/keys/own_keys.ts";
import { systemClock } from "../src/base/clock.ts";
import { SessionIds } from "../src/downstream/session/session_id.ts";

const secret = crypto.randomUUID() + crypto.randomUUID();
const exp = Math.floor(Date.now() / 1000) + 3600;
const claims = { sub: "bench@example.com", iss: "mcpgateway", aud: "mcpgateway-api", exp, jti: "1" };
const keys = keysOfSecret("HS256", secret);
const token = await signToken(claims, keys);
const names = {
  issuer: "mcpgateway",
  audience: "mcpgateway-api",
  platformAdminEmail: "admin@example.com",
  environment: null,
};
const verifier = new JwtVerifier(ownIssuer(keys, names), { requireExpiration: true, requireJti: true });
const warm = new Authenticator({
  authRequired: true,
  verify: (text) => verifier.verify(text),
  clock: systemClock,
  revoked: () => new Set(),
  people: () => NOBODY,
  tokenChanges: () => NO_TOKEN_CHANGES,
});
const authorization = `Bearer ${token}`;
await warm.authenticate(authorization);

/** A user in 50 teams, with a role in every third of them, and one for a virtual server. */
const teams = Array.from({ length: 50 }, (_, i) => `${i}`.padStart(32, "0"));
const people = peopleOf({
  users: [userOf("ann@x")],
  members: teams.map((id) => memberOf(id, "ann@x")),
  assignments: [
    ...teams.filter((_, i) => i % 3 === 0).map((id) => grantOf("ann@x", "developer", "team", id)),
    grantOf("ann@x", "viewer", "server", "s1"),
  ],
});
const ann = people.resolve(
  principal({ subject: "ann@x", email: "ann@x", isLogin: true, issuedAt: Infinity }),
);
const row = { visibility: "team", teamId: teams.at(-1)!, ownerEmail: "bob@x" } as const;

const ids = new SessionIds(secret);
const owner = { issuer: "mcpgateway", subject: "bench@example.com", reach: "", serverId: null };
const id = ids.seal({ replica: 0, worker: 1, expiresAt: exp, owner });

Deno.bench("token: seen before", { group: "token", baseline: true }, async () => {
  await warm.authenticate(authorization);
});

Deno.bench("token: verified by jose", { group: "token" }, async () => {
  await verifier.verify(token);
});

Deno.bench("decision: may a user in 50 teams call, and see the tool", () => {
  requirePermission(ann, "tools.execute", "s1");
  canSee(ann, row);
});

Deno.bench("session id: seen before", { group: "session id", baseline: true }, () => {
  ids.open(id, Date.now());
});

Deno.bench("session id: opened by another worker", { group: "session id" }, () => {
  new SessionIds(secret).open(id, Date.now());
});
