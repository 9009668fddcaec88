// What each kind of token opens: an administrator's, a user's, and those limited to a virtual server or to permissions.
import { assertEquals } from "@std/assert";
import { Sluice } from "../support/sluice.ts";
import type { TokenOptions } from "../support/tokens.ts";

const DIAGNOSTICS = ["/version", "/metrics", "/metrics/prometheus", "/admin/mcp-pool/metrics"];

Deno.test("/version, /metrics and the pool's metrics ask for a permission, as the registry does", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  const statuses = async (token: string | null) => {
    const answers = DIAGNOSTICS.map((path) => sluice.api("GET", path, undefined, token));
    return (await Promise.all(answers)).map(({ status }) => status);
  };
  const limitedTo = (scopes: Record<string, unknown>, admin = true) => ({ admin, claims: { scopes } });
  const kinds: [string, TokenOptions, number[]][] = [
    ["an administrator's", {}, [200, 200, 200, 200]],
    ["a user's", { admin: false, username: "ann@example.com" }, [403, 403, 403, 403]],
    ["for one virtual server", limitedTo({ server_id: "s1" }), [403, 403, 403, 403]],
    ["tools.read alone", limitedTo({ permissions: ["tools.read"] }), [403, 403, 403, 403]],
    ["admin.metrics alone", limitedTo({ permissions: ["admin.metrics"] }), [403, 200, 200, 403]],
    ["admin.system_config alone", limitedTo({ permissions: ["admin.system_config"] }), [200, 403, 403, 200]],
    ["of an administrator, for a team", { claims: { teams: ["ops"] } }, [403, 403, 403, 403]],
    ["of an administrator, for no team", { claims: { teams: [] } }, [403, 403, 403, 403]],
    ["of an administrator, without a claim about teams", { claims: { teams: undefined } }, [
      200,
      200,
      200,
      200,
    ]],
    ["every permission", limitedTo({ permissions: ["*"] }), [200, 200, 200, 200]],
    [
      "admin.metrics of a user",
      { ...limitedTo({ permissions: ["admin.metrics"] }, false), username: "ann@example.com" },
      [403, 403, 403, 403],
    ],
  ];
  for (const [name, options, expected] of kinds) {
    const token = await sluice.token(options);
    assertEquals([name, ...await statuses(token)], [name, ...expected]);
    const drained = await sluice.api("DELETE", "/admin/mcp-pool/sessions", undefined, token);
    assertEquals([name, drained.status], [name, expected.at(-1)]);
  }
  assertEquals(await statuses(null), [401, 401, 401, 401]);

  // The pages ask the same API.
  const page = async (options: TokenOptions) => {
    const cookie = `sluice_session=${await sluice.token(options)}`;
    const answer = await fetch(`${sluice.url}/admin/users`, { headers: { cookie }, redirect: "manual" });
    await answer.body?.cancel();
    return answer.status;
  };
  assertEquals([await page({}), await page({ claims: { teams: ["ops"] } })], [200, 403]);

  const { mcp } = (await sluice.api("GET", "/version")).body;
  assertEquals(mcp.revisions, ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]);
});
