// Deno's permissions: a gateway serves with few, gives up what its settings do not need, and names what it misses at its start.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PERMISSION_FLAGS } from "../../scripts/permission_flags.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { type Probe, probesOf } from "../support/permission_probe.ts";
import { listeningSockets } from "../support/process_stats.ts";
import { Sluice, type SluiceOptions } from "../support/sluice.ts";
import { counterLaunch } from "../support/stdio_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const PROBING: SluiceOptions = { main: "tests/support/probing_serve.ts" };
const THREADS = ["main", "worker 0", "worker 1"];
const WRONG_SETTINGS = 2;

const SOURCES = new URL("../../", import.meta.url).pathname;

/** What every thread could do, once all have reported. */
async function probes(sluice: Sluice): Promise<Probe[]> {
  const found = await waitFor(() => {
    const all = probesOf(sluice.stderr.lines);
    return THREADS.every((thread) => all.has(thread)) ? all : null;
  }, { what: "a report of every thread" });
  return THREADS.map((thread) => found.get(thread)!);
}

function without(...names: string[]): string[] {
  return PERMISSION_FLAGS.filter((flag) => !names.some((name) => flag.startsWith(`--allow-${name}`)));
}

Deno.test("A gateway that serves can start no program, call no library, and touch no file but its own", async () => {
  await using upstream = CounterUpstream.start();
  await using sluice = await Sluice.start(PROBING);
  const nothing: Probe = {
    run: "NotCapable",
    ffi: "NotCapable",
    read: "NotCapable",
    write: "NotCapable",
    sys: "NotCapable",
  };
  assertEquals(await probes(sluice), THREADS.map(() => nothing));
  await sluice.registerUpstream("counter", upstream.url);
  const call = async () => (await sluice.rpc("counter-increment")).body.result.content[0].text;
  assertEquals(await call(), "1");

  // Recycled workers start with what is left, and settings are read again.
  await Deno.writeTextFile(`${sluice.cwd}/.env`, "TOOL_TIMEOUT=17\n");
  const before = listeningSockets(sluice.port);
  Deno.kill(sluice.pid, "SIGHUP");
  await waitFor(() => sluice.log().some(({ event }) => event === "settings reloaded"), {
    what: "the reload",
  });
  await waitFor(() => listeningSockets(sluice.port).some((socket) => !before.includes(socket)), {
    what: "a new worker to listen",
  });
  assertEquals(await call(), "1");
  assertEquals(sluice.log().filter(({ level }) => level === "ERROR"), []);
  assertEquals(await sluice.stop(), 0);
});

Deno.test("A gateway with STDIO_ENABLED keeps the permissions to start programs, and gives up the others", async () => {
  await using sluice = await Sluice.start({ ...PROBING, env: { STDIO_ENABLED: "true" } });
  const programs: Probe = {
    run: "done",
    ffi: "NotCapable",
    read: "done",
    write: "NotCapable",
    sys: "NotCapable",
  };
  assertEquals(await probes(sluice), THREADS.map(() => programs));
  const launch = counterLaunch(`mark-${crypto.randomUUID()}`);
  await sluice.api("POST", "/gateways", { name: "process", transport: "STDIO", ...launch });
  assertEquals((await sluice.rpc("process-increment")).body.result.content[0].text, "1");
});

Deno.test("A gateway without a permission that its settings need names it, and does not start", async () => {
  const expected: ReadonlyArray<readonly [SluiceOptions, RegExp]> = [
    [{ permissions: without("net") }, /^sluice: Deno's permission --allow-net is missing: /m],
    [{ permissions: without("env") }, /^sluice: Deno's permission --allow-env is missing: /m],
    [{ permissions: without("sys") }, /--allow-sys=hostname is missing(.|\n)*--allow-sys=uid is missing/],
    [
      // Deno itself has to read the sources.
      { permissions: [...without("read"), `--allow-read=${SOURCES}`] },
      /^sluice: Deno's permission --allow-read=.*\/\.env is missing: /m,
    ],
    [{ permissions: without("write") }, /--allow-write=.*\/mcp\.db is missing: /],
    [
      { permissions: without("run"), env: { STDIO_ENABLED: "true" } },
      /^sluice: Deno's permission --allow-run is missing: .*STDIO_ENABLED=true/m,
    ],
  ];
  await Promise.all(expected.map(async ([options, words]) => {
    await using sluice = await Sluice.spawn(options);
    assertEquals(await sluice.exit(), WRONG_SETTINGS, sluice.stderr.tail());
    assertMatch(sluice.stderr.tail(), words);
    assertEquals(sluice.stderr.tail().includes("    at "), false, "a stack");
  }));
});

Deno.test("A gateway without --allow-run and --allow-ffi serves, and says what is not kept", async () => {
  await using sluice = await Sluice.start({ permissions: without("run", "ffi") });
  const warnings = sluice.log().filter(({ level }) => level === "WARNING").map(({ warning }) => warning);
  assertStringIncludes(
    JSON.stringify(warnings),
    "Deno's permission --allow-ffi is missing: HTTP_HEADER_TIMEOUT",
  );
  assertEquals((await sluice.rpc("tools/list")).body.result.tools, []);
  assertEquals(await sluice.stop(), 0);
});
