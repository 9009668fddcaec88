// Starting and stopping, as an operator meets it: clear errors, exit codes, nothing cut off.
import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { runCli } from "../support/cli.ts";
import { CONTEXTFORGE_TABLES } from "../support/contextforge_database.ts";
import { freePort } from "../support/free_port.ts";
import { Sluice } from "../support/sluice.ts";

/** The exit code and everything that was printed, of a gateway that should not start. */
async function failedStart(
  options: Parameters<typeof Sluice.spawn>[0],
): Promise<{ code: number; text: string }> {
  await using sluice = await Sluice.spawn(options);
  const code = await sluice.exit();
  return { code, text: sluice.stdout.tail() + sluice.stderr.tail() };
}

Deno.test("serve ends with a clear error where the port is taken", async () => {
  const port = freePort();
  const listener = Deno.listen({ hostname: "127.0.0.1", port, reusePort: true });
  const { code, text } = await failedStart({ env: { PORT: String(port) } });
  listener.close();
  assertEquals(code, 1);
  assertStringIncludes(text, `Cannot listen on 127.0.0.1:${port}: another program listens there`);
});

Deno.test("serve names every wrong setting at once, with the nearest right name, and ends with 2", async () => {
  const { code, text } = await failedStart({
    env: { WORKERS: "many", MCP_SESSION_POOL_ENABLD: "true", TOOL_TIMEOUT: "-1" },
  });
  assertEquals(code, 2);
  for (const part of ["WORKERS", "MCP_SESSION_POOL_ENABLED", "TOOL_TIMEOUT"]) {
    assertStringIncludes(text, part);
  }
});

Deno.test("serve warns of ContextForge's settings without effect at every LOG_LEVEL, the protections first", async () => {
  await using sluice = await Sluice.start({
    env: { LOG_LEVEL: "ERROR", APP_ROOT_PATH: "/x", PLUGINS_ENABLED: "true", TRUST_PROXY_AUTH: "true" },
  });
  const warnings = sluice.log().map(({ warning }) => String(warning).replace(/ In ContextForge.*/, ""));
  assertEquals(warnings, [
    "No effect: PLUGINS_ENABLED (environment).",
    "No effect: TRUST_PROXY_AUTH (environment).",
    "Settings of ContextForge without effect here (environment): APP_ROOT_PATH",
  ]);
});

Deno.test("serve names every wrong flag and ends with 2", async () => {
  const { code, text } = await failedStart({ args: ["--dmeo", "--wrokers", "2"] });
  assertEquals(code, 2);
  for (const part of ["--dmeo", "--demo", "--wrokers", "--workers"]) assertStringIncludes(text, part);
});

Deno.test("serve ends with a clear error where the database cannot be opened", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_bad_db_" });
  await Deno.writeTextFile(
    `${cwd}/broken.db`,
    "this is no database, however long one looks at it".repeat(100),
  );
  for (
    const [url, words] of [["sqlite:///./broken.db", "broken.db"], [
      "sqlite:////no/such/place/mcp.db",
      "/no/such/place",
    ]]
  ) {
    const { code, text } = await failedStart({ cwd, env: { DATABASE_URL: url! } });
    assertEquals(code, 1, text);
    assertStringIncludes(text, words!);
  }
  await Deno.remove(cwd, { recursive: true });
});

Deno.test("serve refuses ContextForge's database in words, and leaves its folder as it was", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_foreign_db_" });
  const database = new DatabaseSync(`${cwd}/mcp.db`);
  database.exec("PRAGMA journal_mode = WAL");
  for (const text of CONTEXTFORGE_TABLES) database.exec(text);
  database.close();
  const before = await Deno.readFile(`${cwd}/mcp.db`);
  const { code, text } = await failedStart({ cwd, env: { JWT_SECRET_KEY: "", DATABASE_URL: "" } });
  assertEquals(code, 1);
  assertStringIncludes(text, "it is ContextForge's database");
  assertStringIncludes(text, "name another one in DATABASE_URL");
  assertEquals(Array.from(Deno.readDirSync(cwd), ({ name }) => name), ["mcp.db"]);
  assertEquals(await Deno.readFile(`${cwd}/mcp.db`), before);
  await Deno.remove(cwd, { recursive: true });
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} lets the call under way finish, and the exit code is 0`, async () => {
    await using sluice = await Sluice.start({ args: ["--demo"] });
    const slow = sluice.rpc("tools/call", { name: "echo", arguments: { message: "late", delay: 1_500 } });
    // The worker has the call once a later, quick one over the same connections is answered.
    await sluice.rpc("tools/call", { name: "echo", arguments: { message: "quick", delay: 300 } });
    Deno.kill(sluice.pid, signal);
    const { status, body } = await slow;
    assertEquals([status, body.result?.content[0].text], [200, "late"]);
    assertEquals(await sluice.exit(), 0);
  });
}

Deno.test("The secrets of the first start are kept: tokens and stored credentials outlive a restart", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_secrets_" });
  let token: string | undefined;
  for (let start = 0; start < 2; start++) {
    await using sluice = await Sluice.start({ cwd, env: { JWT_SECRET_KEY: "" } });
    assertEquals((await Deno.stat(`${cwd}/mcp.db.secrets`)).mode! & 0o777, 0o600);
    token ??= (await runCli(["token", "--admin", "--exp", "5"], { cwd })).out.trim();
    assertEquals((await sluice.api("GET", "/gateways", undefined, token)).status, 200);
    assertEquals((await sluice.api("GET", "/gateways", undefined, `${token}x`)).status, 401);
  }
  assertEquals((await runCli(["token", "--nonsense"], { cwd })).code, 2);
  await Deno.remove(cwd, { recursive: true });
});
