// Workers that end, well or badly, while the others serve.
import { assert, assertEquals } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { paced } from "../support/pace.ts";
import { workerThreads } from "../support/process_stats.ts";
import { Sluice, type SluiceOptions } from "../support/sluice.ts";
import { startLoad, type SteadyLoad } from "../support/steady_load.ts";
import { waitFor } from "../support/wait_for.ts";

/** Faults are files in the gateway's folder, which it may not read otherwise. */
const FAULTY: SluiceOptions = {
  main: "tests/support/faulty_serve.ts",
  permissions: ["-A"],
  args: ["--demo"],
};

function events(sluice: Sluice, event: string): Record<string, unknown>[] {
  return sluice.log().filter((line) => line.event === event);
}

async function load(
  sluice: Sluice,
  more: { freshConnections?: boolean; pauseMs?: number } = {},
): Promise<SteadyLoad> {
  // The demo upstream registers itself a moment after the gateway is ready.
  await waitFor(async () => (await sluice.rpc("echo", { message: "there" })).body.result, {
    what: "the demo",
  });
  return startLoad({
    url: `${sluice.url}/rpc`,
    headers: { authorization: `Bearer ${await sluice.token()}`, "content-type": "application/json" },
    body: JSON.stringify(toolCall("echo", { message: "alive" })),
    clients: 8,
    isRight: (status, text) => status === 200 && text.includes("alive"),
    ...more,
  });
}

async function fault(sluice: Sluice, worker: number, kind: string): Promise<void> {
  await Deno.writeTextFile(`${sluice.cwd}/fault-${worker}`, kind);
}

/** Short, and long enough that a worker is not taken for blocked because the machine is busy. */
const shortTimeout = async () => ({ WORKER_TIMEOUT: String(Math.ceil(await paced(1))) });

const died = (sluice: Sluice) => events(sluice, "worker died").length;

/** Every worker answers again: there is one report from each. */
async function allBack(sluice: Sluice, workers: number): Promise<void> {
  await waitFor(async () => (await sluice.api("GET", "/admin/mcp-pool/metrics")).body.workers === workers, {
    what: "every worker to be back",
  });
}

Deno.test("A blocked worker is ended and replaced while the other serves", async () => {
  await using sluice = await Sluice.start({ ...FAULTY, env: await shortTimeout() });
  await load(sluice).then((serving) => serving.stop());
  await fault(sluice, 0, "block");
  await waitFor(() => died(sluice) === 1, { what: "the blocked worker to be ended" });
  assert(String(events(sluice, "worker died")[0]!.cause).includes("WORKER_TIMEOUT"));
  const afterwards = await load(sluice, { freshConnections: true });
  await allBack(sluice, 2);
  const { ok, failures } = await afterwards.stop();
  assertEquals(failures, []);
  assert(ok > 0);
  await waitFor(() => workerThreads(sluice.pid) === 2, { what: "the blocked thread to end" });
});

Deno.test("A worker whose thread is blocked in a system call is replaced, and no connection waits for that thread", async () => {
  await using sluice = await Sluice.start({ ...FAULTY, env: await shortTimeout() });
  await load(sluice).then((serving) => serving.stop());
  await new Deno.Command("mkfifo", { args: [`${sluice.cwd}/pipe`] }).output();
  await fault(sluice, 0, "wait");
  await waitFor(() => died(sluice) === 1, { what: "the blocked worker to be given up" });
  await allBack(sluice, 2);
  const afterwards = await load(sluice, { freshConnections: true });
  await waitFor(() => afterwards.ok > 200, { what: "200 calls over fresh connections" });
  assertEquals((await afterwards.stop()).failures, []);
  assertEquals(workerThreads(sluice.pid), 3, "the blocked thread and two that serve");
});

for (const [kind, env] of [["throw", {}], ["hoard", { WORKER_MAX_HEAP_MB: "96" }]] as const) {
  Deno.test(`A worker that dies of "${kind}" ends alone, is replaced, and its sessions live on`, async () => {
    await using upstream = CounterUpstream.start();
    await using sluice = await Sluice.start({ ...FAULTY, env });
    await sluice.registerUpstream("counter", upstream.url);
    const sessions = await Promise.all(Array.from({ length: 8 }, () => openSession(sluice)));
    const pid = sluice.pid;
    await fault(sluice, 0, kind);
    // One that is recycled for its memory may die of it meanwhile.
    const ends = ["worker died", "worker recycled", "worker not recycled"];
    await waitFor(() => ends.some((event) => events(sluice, event).length > 0), {
      what: "the worker to end",
    });
    await allBack(sluice, 2);
    for (const id of sessions) {
      const { status, body } = await post(sluice, toolCall("counter-increment"), { headers: inSession(id) });
      assertEquals([status, body.result?.content[0].text], [200, "1"], JSON.stringify(body));
    }
    assertEquals([sluice.pid, sluice.exitCode], [pid, undefined]);
  });
}

Deno.test("Workers are recycled under keep-alive load without a failed request, and sessions keep their upstream state", async () => {
  await using upstream = CounterUpstream.start();
  await using sluice = await Sluice.start({
    args: ["--demo"],
    env: { MAX_REQUESTS: "400", MAX_REQUESTS_JITTER: "50" },
  });
  await sluice.registerUpstream("counter", upstream.url);
  const sessions = await Promise.all(Array.from({ length: 6 }, () => openSession(sluice)));
  const count = async (expected: string) => {
    for (const id of sessions) {
      const { body } = await post(sluice, toolCall("counter-increment"), { headers: inSession(id) });
      assertEquals(body.result?.content?.[0].text, expected, JSON.stringify(body));
    }
  };
  await count("1");
  const serving = await load(sluice, { pauseMs: 5 });
  const recycled = () => events(sluice, "worker recycled").length;
  let expected = 1;
  while (recycled() < 3) {
    await count(String(++expected));
    assert(expected < 2_000, "no worker was recycled");
  }
  const { ok, failures } = await serving.stop();
  assertEquals(failures, []);
  assert(ok > 400);
  await count(String(++expected));
  assertEquals(died(sluice), 0);
});

Deno.test("RESPAWN_FAILED=false replaces no worker, and the last one's death ends the program with 1", async () => {
  await using sluice = await Sluice.start({ ...FAULTY, env: { RESPAWN_FAILED: "false" } });
  await fault(sluice, 0, "throw");
  await waitFor(() => died(sluice) === 1, { what: "the first worker to die" });
  // The connections that the dead worker had not accepted yet are reset.
  await waitFor(async () => (await sluice.rpc("echo", { message: "still here" })).status === 200, {
    what: "the other worker to answer",
  });
  await fault(sluice, 1, "throw");
  assertEquals(await sluice.exit(), 1);
});

Deno.test("A second process takes the port over, and no request is refused", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_takeover_" });
  const secret = crypto.randomUUID().repeat(2);
  {
    await using old = await Sluice.start({ cwd, args: ["--demo"], env: { JWT_SECRET_KEY: secret } });
    const env = { JWT_SECRET_KEY: secret, PORT: String(old.port) };
    const serving = await load(old, { freshConnections: true, pauseMs: 10 });
    await using fresh = await Sluice.start({ cwd, args: ["--takeover"], env });
    await waitFor(() => events(fresh, "serving").length === 1, { what: "the second process to serve" });
    assertEquals(await old.stop(), 0);
    const { ok, failures } = await serving.stop();
    // The demo upstream lived in the old process.
    const refused = failures.filter((failure) => !failure.includes("UPSTREAM_"));
    assertEquals(refused, []);
    assert(ok > 50);
  }
  await Deno.remove(cwd, { recursive: true });
});

Deno.test("SIGHUP takes over what can be reloaded and names what cannot", async () => {
  await using sluice = await Sluice.start({ args: ["--demo"], env: { TOOL_TIMEOUT: "" } });
  await Deno.writeTextFile(`${sluice.cwd}/.env`, "MCP_SESSION_POOL_TRANSPORT_TIMEOUT=0.4\nBACKLOG=77\n");
  Deno.kill(sluice.pid, "SIGHUP");
  await waitFor(() => events(sluice, "worker recycled").length === 2, {
    what: "new workers",
  });
  const { body } = await sluice.rpc("echo", { message: "late", delay: 5_000 });
  assertEquals(body.error.data.code, "UPSTREAM_TIMEOUT");
  assert(JSON.stringify(await sluice.logged("settings need a restart")).includes("BACKLOG"));
  assertEquals((await sluice.api("GET", "/settings")).body.needs_restart, ["BACKLOG"]);
  await Deno.writeTextFile(`${sluice.cwd}/.env`, "MCP_SESSION_POOL_TRANSPORT_TIMEOUT=0.4\n");
  Deno.kill(sluice.pid, "SIGHUP");
  await waitFor(() => events(sluice, "settings read again, none has changed").length === 1, {
    what: "the line of a reload that changes nothing",
  });
  await Deno.writeTextFile(`${sluice.cwd}/.env`, "TOOL_TIMEOUT=never\n");
  Deno.kill(sluice.pid, "SIGHUP");
  await waitFor(() => events(sluice, "settings not reloaded").length === 1, {
    what: "the mistake to be told",
  });
  assertEquals((await sluice.rpc("echo", { message: "still here" })).status, 200);
});

Deno.test("DEV_MODE makes fresh workers of changed sources", async () => {
  const copy = await Deno.makeTempDir({ prefix: "sluice_sources_" });
  const root = new URL("../../", import.meta.url).pathname;
  for (const path of ["src", "deno.json", "deno.lock"]) {
    const { success } = await new Deno.Command("cp", { args: ["-r", `${root}${path}`, copy] }).output();
    assert(success);
  }
  {
    await using sluice = await Sluice.start({ main: `${copy}/src/main.ts`, env: { DEV_MODE: "true" } });
    const shown = async () => (await sluice.api("GET", "/version")).body.app.version;
    const before = await shown();
    const file = `${copy}/src/version.ts`;
    await Deno.writeTextFile(file, (await Deno.readTextFile(file)).replace(`"${before}"`, '"9.9.9"'));
    // The old workers' clients have no time to leave: it is a workbench.
    await waitFor(async () => (await shown()) === "9.9.9", { what: "the new version" });
    await Deno.writeTextFile(file, "this is no TypeScript");
    await waitFor(() => events(sluice, "worker not recycled").length > 0, { what: "the mistake to be told" });
    assertEquals(await shown(), "9.9.9");
  }
  await Deno.remove(copy, { recursive: true });
});

Deno.test("/metrics counts the workers that serve and those that ended", async () => {
  await using sluice = await Sluice.start(FAULTY);
  await fault(sluice, 1, "throw");
  await waitFor(() => died(sluice) === 1, { what: "a worker to die" });
  await allBack(sluice, 2);
  for (const line of ["sluice_workers_ready 2", 'sluice_workers_ended_total{reason="died"} 1']) {
    await waitFor(async () => (await sluice.api("GET", "/metrics/prometheus")).body.includes(line), {
      what: line,
    });
  }
});
