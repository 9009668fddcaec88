// `sluice user` and `sluice role` beside a running gateway: what they change counts on every worker, and is recorded.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { runCli } from "../support/cli.ts";
import { post } from "../support/mcp_post.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const PASSWORD = "correct horse battery";
const CALL = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "none", arguments: {} } };

Deno.test("`sluice user` and `sluice role` manage people, and lead back in when no administrator is left", async () => {
  await using sluice = await Sluice.start({
    env: {
      ...{ WORKERS: "2", POLL_INTERVAL: "0.1", MAX_INTERVAL: "0.2", FAILED_LOGIN_MIN_RESPONSE_MS: "0" },
      AUDIT_TRAIL_ENABLED: "true",
    },
  });
  const run = async (line: string) =>
    await runCli(line.split(" "), { cwd: sluice.cwd, env: { AUDIT_TRAIL_ENABLED: "true" } });
  const done = async (line: string) => {
    const { code, out, err } = await run(line);
    assertEquals([code, err], [0, ""], line);
    return out.trim();
  };
  const refused = async (line: string, words: string) => {
    const { code, out, err } = await run(line);
    assert(code !== 0 && out === "", line);
    assertStringIncludes(err, words);
  };
  const setPassword = async (said: string) => {
    const link = new URL(/http\S+$/.exec(said)![0]);
    assertEquals(link.pathname, "/admin/reset-password");
    const body = { token: link.hash.slice(1), new_password: PASSWORD };
    return (await sluice.api("POST", "/auth/reset-password", body, null)).status;
  };
  const login = async (email: string) =>
    await sluice.api("POST", "/auth/login", { email, password: PASSWORD }, null);

  // The way back in.
  const added = await done("user add ada@x.org --admin");
  assertStringIncludes(added, "added ada@x.org, an administrator");
  assertEquals([await setPassword(added), await setPassword(added)], [200, 401]);
  const { body: { access_token: ada } } = await login("ada@x.org");
  const users = async () => (await sluice.api("GET", "/auth/email/admin/users", undefined, ada));
  await waitFor(async () => (await users()).status === 200, { what: "the administrator" });

  assertEquals(await setPassword(await done("user add Ann@x.org")), 200);
  for (const word of ["lock", "remove"]) await refused(`user ${word} ada@x.org`, "No active administrator");
  await done("role grant platform_admin --user ann@x.org");
  await done("user lock ada@x.org");
  await refused("role revoke platform_admin --user ann@x.org", "No active administrator");
  await done("user unlock ada@x.org");
  await done("role revoke platform_admin --user ann@x.org");
  await refused("user add ann@x.org", "exists already");
  const { body: { access_token: ann } } = await login("ann@x.org");
  /** What the workers say to the same call, over connections of their own. */
  const answers = async () => {
    const sent = Array.from({ length: 12 }, () => post(sluice, CALL, { path: "/rpc", token: ann }));
    const all = (await Promise.all(sent)).map(({ status, body }) =>
      status === 200 ? body.error.data.code : status
    );
    return [...new Set(all)].toSorted();
  };
  const reads = (expected: unknown) =>
    waitFor(async () => JSON.stringify(await answers()) === JSON.stringify([expected]), {
      what: `all workers to say ${expected}`,
    });
  await sluice.api("POST", "/servers", { server: { id: "clock", name: "Clock" } });
  // Every user calls tools in the personal team: ann's login includes it, so that the roles below add changes of the registry.
  const mayCreate = async () =>
    (await sluice.api("POST", "/servers", { server: { name: crypto.randomUUID() }, team_id: "t" }, ann))
      .status;
  assertEquals(await mayCreate(), 403);
  assertMatch(
    await done("role grant developer --user ann@x.org --until 2100-01-01"),
    /everywhere, until 2100/,
  );
  await waitFor(async () => await mayCreate() === 201, { what: "the role" });
  await refused("role grant developer --user ann@x.org", "has this role there already");
  await refused("role grant viewer --user ann@x.org --server nothing", "id of a virtual server");
  await refused("role grant viewer --user ann@x.org --team nothing", "there is no team nothing");
  await refused("role grant nothing --user ann@x.org", "sluice role list");
  await done("role grant viewer --user ann@x.org --server clock");
  assertEquals((await done("role list --user ann@x.org")).split("\n").length, 2);
  await done("role revoke developer --user ann@x.org");
  await waitFor(async () => await mayCreate() === 403, { what: "the role to be gone" });
  await refused("role revoke developer --user ann@x.org", "was not assigned developer there");

  await reads("TOOL_NOT_FOUND");
  await done("user lock ann@x.org");
  await reads(401);
  assertStringIncludes(await done("user list"), "ann@x.org  locked");
  await refused("user reset ann@x.org", "unlock the user first");
  await done("user unlock ann@x.org");
  assertEquals((await login("ann@x.org")).status, 200);
  assertEquals(await setPassword(await done("user reset ann@x.org")), 200);
  await done("user remove ann@x.org");
  await refused("user remove ann@x.org", "no user has the address");
  assertEquals(JSON.parse(await done("user list --json")).map(({ email }: { email: string }) => email), [
    "ada@x.org",
  ]);
  const { body: { records } } = await sluice.api("GET", "/audit?entity_id=ann@x.org&limit=100");
  const said = JSON.stringify(records);
  for (const operation of ["createUser", "assignRole", "revokeRole", "updateUser", "deleteUser"]) {
    assertStringIncludes(said, operation);
  }
});
