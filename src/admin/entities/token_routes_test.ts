import { assertEquals } from "@std/assert";
import { ALICE, withAdminApi } from "../../../tests/support/admin_api.ts";

Deno.test("DELETE /tokens/{jti} revokes it, once or again, and tells of who and why", async () => {
  await withAdminApi(async ({ call, store, changes }) => {
    const body = { reason: "lost", expires_at: "2030-01-01T00:00:00Z" };
    assertEquals(await call("DELETE", "/tokens/some%2Fid", { body }), { status: 204, body: null });
    assertEquals((await call("DELETE", "/v1/tokens/admin/other")).status, 204);
    assertEquals((await call("DELETE", "/tokens/other")).status, 204);
    assertEquals(changes(), 3);
    assertEquals((await store.readCatalog()).revokedTokens.toSorted(), ["other", "some/id"]);
    const { body: listed } = await call("GET", "/tokens/revoked");
    const [first] = listed.filter(({ jti }: { jti: string }) => jti === "some/id");
    assertEquals(first, {
      jti: "some/id",
      revokedAt: first.revokedAt,
      revokedBy: "admin@example.com",
      revocationReason: "lost",
      expiresAt: "2030-01-01T00:00:00.000Z",
    });
  });
});

Deno.test("DELETE /tokens/{jti} refuses whoever is no administrator, and what is no id", async () => {
  await withAdminApi(async ({ call, store }) => {
    assertEquals((await call("DELETE", "/tokens/a", { as: ALICE })).status, 403);
    assertEquals((await call("GET", "/tokens/revoked", { as: ALICE })).status, 403);
    const faulty = await call("DELETE", "/tokens/a%0Ab", { body: { expires_at: "soon" } });
    assertEquals([faulty.status, faulty.body.detail[0].loc], [422, ["path", "token_id"]]);
    const body = { expires_at: "soon" };
    assertEquals((await call("DELETE", "/tokens/a", { body })).body.detail[0].loc, ["body", "expires_at"]);
    assertEquals(await store.revokedTokens.ids(), []);
  });
});
