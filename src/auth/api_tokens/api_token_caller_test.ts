import { assertEquals } from "@std/assert";
import { versionsAt } from "../../../tests/support/catalog_rows.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { NO_TEAM, type ShownToken } from "../../store/tokens/token_rows.ts";
import { apiTokenCaller, hashOf } from "./api_token_caller.ts";

const IMPORTED: ShownToken = {
  ...{ id: "a", userId: "u", teamId: NO_TEAM, name: "a", description: null, tokenHash: hashOf("token") },
  ...{ serverId: null, permissions: [], ipRestrictions: [], timeRestrictions: {}, usageLimits: {}, tags: [] },
  ...{ isActive: true, createdAt: "2026-01-01T00:00:00.000Z", expiresAt: null, isImported: true, change: 1 },
  ...{ revokedAt: null, revokedBy: null, revocationReason: null, email: "ann@x", tokensValidFrom: null },
  lastUsed: null,
};

function callerWith(token: ShownToken | null) {
  const outcomes: (string | undefined)[] = [];
  const call = apiTokenCaller({
    read: () => Promise.resolve({ readAt: versionsAt(4), token }),
    now: () => 0,
    count: (outcome) => void outcomes.push(outcome),
  });
  return { call, outcomes };
}

Deno.test("apiTokenCaller() gives an imported token without a team what its claim says, and one of a team its team here", async () => {
  const byClaims = () => principal();
  const teamsOf = async (row: Partial<ShownToken>, teams: unknown) => {
    const { call } = callerWith({ ...IMPORTED, ...row });
    const { teams: seen, isLogin, apiToken } = await call({ jti: "a", teams }, "token", byClaims);
    return [seen, isLogin, apiToken?.refusal];
  };
  assertEquals(await teamsOf({}, null), [null, false, null]);
  assertEquals(await teamsOf({}, []), [[], false, null]);
  assertEquals(await teamsOf({ teamId: "here" }, ["there"]), [["here"], false, null]);
  // The gateway's own tokens have no such claim.
  assertEquals(await teamsOf({ isImported: false }, null), [[], false, null]);
});

Deno.test("apiTokenCaller() takes a token of another program without a row by its claims, and says as of when", async () => {
  const { call, outcomes } = callerWith(null);
  const known = principal({ email: "ann@x" });
  assertEquals(await call({ jti: "a" }, "token", () => known), {
    ...known,
    unrecorded: { id: "a", readAt: versionsAt(4) },
  });
  assertEquals(
    (await call({ jti: "a" }, "token", null)).apiToken?.refusal?.includes("none of the API tokens"),
    true,
  );
  assertEquals(outcomes, ["unrecorded", "refused"]);
});

Deno.test("apiTokenCaller() refuses a token that has the id of an imported one, and another text", async () => {
  const { call } = callerWith(IMPORTED);
  const { apiToken } = await call({ jti: "a", teams: null }, "forged", () => principal({ isAdmin: true }));
  assertEquals(apiToken?.refusal?.includes("none of the API tokens"), true);
});
