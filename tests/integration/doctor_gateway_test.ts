// `sluice doctor` beside gateways that run: upstreams, tokens, replicas and what the gateway has met, well and sick.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { follow, runCli } from "../support/cli.ts";
import { run } from "../support/command.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { ListingUpstream } from "../support/listing_upstream.ts";
import { toolCall } from "../support/mcp_post.ts";
import { startSlowProcess } from "../support/slow_upstream.ts";
import { Sluice } from "../support/sluice.ts";

/** Findings that depend on the machine that runs the test. */
const OF_THE_MACHINE = /^(machine\.|settings\.(no_tls|listen)|sqlite\.space)/;

interface Found {
  readonly id: string;
  readonly severity: string;
  readonly found: string;
  readonly fix: string;
}

/** With the environment of the gateway, unless a test changes it. */
async function examine(sluice: Sluice, env: Record<string, string> = {}) {
  const { out, err } = await runCli(["doctor", "--json"], {
    cwd: sluice.cwd,
    env: {
      HOST: "127.0.0.1",
      PORT: String(sluice.port),
      WORKERS: String(sluice.workers),
      JWT_SECRET_KEY: sluice.secret,
      SSRF_ALLOW_LOCALHOST: "true",
      ...env,
    },
  });
  assertEquals(err, "");
  const { findings, examined, upstreams }: {
    findings: Found[];
    examined: string[];
    upstreams: { name: string; answers: boolean | null; keeps_sessions: boolean | null }[];
  } = JSON.parse(out);
  const own = findings.filter(({ id }) => !OF_THE_MACHINE.test(id));
  return { ids: own.map(({ id }) => id), findings: own, examined, upstreams };
}

Deno.test("`sluice doctor` examines upstreams, tokens and replicas of a gateway that runs, and finds nothing in a healthy one", async () => {
  await using counter = CounterUpstream.start();
  await using listing = new ListingUpstream();
  listing.tools = ["one"];
  // The record of a replica that is killed stays for a while, however slow the machine is.
  const lasting = { REPLICA_TTL: "120" };
  await using sluice = await Sluice.start({ env: lasting });
  const { id } = await sluice.registerUpstream("counter", counter.url, {
    auth_type: "bearer",
    auth_token: "t",
  });
  await sluice.registerUpstream("listing", listing.url);
  await sluice.rpc("tools/call", { name: "listing-one", arguments: {} });
  const well = await examine(sluice);
  assertEquals(well.findings, []);
  assertEquals(well.examined.slice(-3), ["2 upstreams", "1 replica", "the running gateway"]);
  assertEquals(well.upstreams.map(({ name, answers, keeps_sessions }) => [name, answers, keeps_sessions]), [
    ["counter", true, true],
    ["listing", true, false],
  ]);

  // Whoever examines with other secrets is told so, and changes nothing.
  const otherKey = await examine(sluice, { JWT_SECRET_KEY: crypto.randomUUID().repeat(2) });
  assertEquals(otherKey.ids, ["replica.secrets"]);
  const otherSecret = await examine(sluice, { AUTH_ENCRYPTION_SECRET: crypto.randomUUID().repeat(2) });
  assertEquals(otherSecret.ids, ["upstream.credentials", "replica.secrets"]);
  assertEquals((await examine(sluice, { BACKPRESSURE: "100", MAX_CALLS_PER_CALLER: "50" })).ids, [
    "running.settings",
  ]);

  assertEquals((await sluice.api("PUT", `/gateways/${id}`, { isolation: "shared" })).status, 200);
  // The line of a finding is one for a shell in the gateway's folder.
  const mend = async ({ fix }: Found) =>
    await follow(`  ${fix.replace("$(sluice token --admin)", "$TOKEN")}`, {
      cwd: sluice.cwd,
      env: { TOKEN: await sluice.token(), PATH: Deno.env.get("PATH")! },
    });
  const shared = await examine(sluice);
  assertEquals(shared.ids, ["upstream.shared_state"]);
  assertEquals((await mend(shared.findings[0]!)).isolation, "session");
  assertEquals((await examine(sluice)).ids, []);
  assertEquals((await sluice.api("PUT", `/gateways/${id}`, { isolation: "caller" })).status, 200);
  const anonymous = await examine(sluice, { AUTH_REQUIRED: "false" });
  assertEquals(anonymous.ids, ["upstream.anonymous_state"]);

  listing.tools = ["one", { name: "bad", inputSchema: "none" }];
  await sluice.api("POST", "/gateways/listing/tools/refresh");
  const lists = await examine(sluice);
  assertEquals(lists.ids, ["upstream.lists"]);
  assertStringIncludes(JSON.stringify(await mend(lists.findings[0]!)), "skippedTools");
  await listing[Symbol.asyncDispose]();
  // Before the gateway's own check has seen it.
  const silent = await examine(sluice);
  assertEquals(silent.ids.filter((id) => id !== "upstream.lists"), ["upstream.unreachable"]);
  assertStringIncludes(silent.findings[0]!.found, "Upstream listing does not answer");
  assertEquals(silent.upstreams.map(({ name, answers }) => [name, answers]), [["counter", true], [
    "listing",
    false,
  ]]);
  await sluice.api("POST", "/gateways/listing/tools/refresh");
  const gone = await examine(sluice);
  assertEquals(gone.ids, ["upstream.unreachable"]);
  assertStringIncludes(gone.findings[0]!.found, "Upstream listing does not answer");
  await sluice.api("POST", "/gateways/listing/state?activate=false");
  assertEquals((await examine(sluice)).ids, []);

  const second = await Sluice.start({ cwd: sluice.cwd, env: { ...lasting, JWT_SECRET_KEY: sluice.secret } });
  assertEquals((await examine(sluice)).ids, []);
  await second.kill();
  const killed = await examine(sluice);
  assertEquals(killed.ids, ["replica.address"]);
  assertStringIncludes(killed.findings[0]!.found, `http://127.0.0.1:${second.port}`);
});

Deno.test("`sluice doctor` names the causes of what a running gateway has met, and secrets in a repository", async () => {
  await using slow = await startSlowProcess({ delayMs: 2_000 });
  const env = { WORKERS: "1", BACKPRESSURE: "4", MAX_CALLS_PER_CALLER: "4", TOOL_TIMEOUT: "0.2" };
  await using sluice = await Sluice.start({ env });
  await sluice.registerUpstream("up", slow.url);
  const calls = await Promise.all(
    Array.from({ length: 12 }, () => sluice.api("POST", "/rpc", toolCall("up-slow"))),
  );
  assert(calls.some(({ status }) => status === 503));
  const { ids } = await examine(sluice, env);
  assertEquals(ids, ["running.refused", "running.timeouts", "running.latency"]);

  await Deno.writeTextFile(`${sluice.cwd}/.env`, `JWT_SECRET_KEY=${sluice.secret}\n`, { mode: 0o600 });
  assertEquals((await examine(sluice, env)).ids, ids);
  for (const args of [["init", "--quiet"], ["add", "--force", ".env"]]) {
    const { code, text } = await run("git", ["-C", sluice.cwd, ...args]);
    assertEquals(code, 0, text);
  }
  const loaded = await runCli(["doctor", "--json"], {
    cwd: sluice.cwd,
    env: { ...env, HOST: "127.0.0.1", PORT: String(sluice.port), SSRF_ALLOW_LOCALHOST: "true" },
  });
  assertStringIncludes(loaded.out, '"settings.committed"');
});
