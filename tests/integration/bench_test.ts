// `sluice bench` against the gateway, and against servers that stall, refuse, answer wrongly, stream, or are not there.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { existsSync } from "node:fs";
import { givenTime } from "../support/pace.ts";
import type { BenchReport } from "../../src/cli/bench/report/bench_report.ts";
import { FROM_SOURCE, runCli, shellWords, Terminal } from "../support/cli.ts";
import { freePort } from "../support/free_port.ts";
import { metric } from "../support/metric.ts";
import { makeSelfSigned } from "../support/self_signed.ts";
import { Sluice } from "../support/sluice.ts";
import { SlowUpstream } from "../support/slow_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const cwd = Deno.makeTempDirSync({ prefix: "sluice_bench_" });
globalThis.addEventListener("unload", () => Deno.removeSync(cwd, { recursive: true }));

interface Result {
  readonly code: number;
  readonly err: string;
  readonly report: BenchReport;
}

/** Runs it without a warm-up and reads its JSON report. */
async function bench(url: string, ...flags: string[]): Promise<Result> {
  const { code, out, err } = await runCli(["bench", url, "--warmup", "0", "--json", "-", ...flags], { cwd });
  return { code, err, report: out === "" ? null : JSON.parse(out) };
}

type Message = {
  readonly id?: number;
  readonly method: string;
  readonly params?: { readonly name?: string };
};

/** A server of one tool without arguments. `answer` may delay, or give another response. */
function serve(
  answer: (message: Message, request: Request) => Response | undefined | Promise<Response | undefined>,
) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const message: Message = request.method === "POST" ? await request.json() : { method: request.method };
    return await answer(message, request) ?? usual(message);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/mcp`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function usual({ id, method }: Message): Response {
  if (id === undefined) return new Response(null, { status: method === "GET" ? 405 : 202 });
  const tools = [
    { name: "erase", inputSchema: { type: "object" } },
    { name: "look", inputSchema: { type: "object" }, annotations: { readOnlyHint: true } },
  ];
  const results: Record<string, unknown> = {
    initialize: {
      protocolVersion: "2025-06-18",
      capabilities: { tools: {} },
      serverInfo: { name: "s", version: "1" },
    },
    "tools/list": { tools },
    "tools/call": { content: [{ type: "text", text: "seen" }] },
  };
  return Response.json({ jsonrpc: "2.0", id, result: results[method] });
}

Deno.test("a server that stalls 200 ms once a second: the open loop shows it, a closed loop hides it (timed)", async () => {
  await using server = serve(async ({ method }) => {
    const intoSecond = Date.now() % 1_000;
    if (method === "tools/call" && intoSecond < 200) {
      await new Promise((resolve) => setTimeout(resolve, 200 - intoSecond));
    }
    return undefined;
  });
  await givenTime(async () => {
    const [open, closed] = [
      await bench(server.url, "--rate", "100", "--duration", "4s"),
      await bench(server.url, "--think", "0", "--users", "1", "--duration", "4s"),
    ];
    assertEquals([open.code, open.report.errors], [0, 0]);
    assertEquals(open.report.load.tool, "look");
    // A fifth of the arrivals meets the stall, evenly from 0 to 200 ms of it. Of the closed loop's requests hardly one does.
    assert(open.report.latency.p99! > 150, `p99 ${open.report.latency.p99} ms`);
    const [shown, hidden] = [open.report.latency.p95!, closed.report.latency.p95!];
    assert(shown > 100 && hidden < 100, `p95 ${shown} and ${hidden} ms`);
  });
});

Deno.test("the gateway: /rpc, sessions with churn and streams, stateless, payloads", async (t) => {
  await using sluice = await Sluice.start({ args: ["--demo"] });
  const tokens = `${cwd}/tokens`;
  await Deno.writeTextFile(
    tokens,
    `${await sluice.token({ username: "a@example.com" })}\n${await sluice.token({
      username: "b@example.com",
    })}\n`,
  );
  const load = (path: string, ...flags: string[]) =>
    bench(sluice.url + path, "--token-file", tokens, "--duration", "1s", "--rate", "100", ...flags);

  await t.step("/rpc", async () => {
    const { code, report } = await load("/rpc", "--assert", "errors=0", "--assert", "rate>1");
    assertEquals([code, report.errors, report.load.protocol], [0, 0, "rpc"]);
    assertEquals(report.assertions.map(({ holds }) => holds), [true, true]);
    assertEquals(report.methods["tools/call"]!.requests + report.unsent, 100);
    assert(report.latency.p50! > 0.05 && report.latency.min! > 0.05, JSON.stringify(report.latency));
  });

  await t.step("/mcp in sessions that end after ten requests, with event streams and lists", async () => {
    const { code, report } = await load(
      "/mcp",
      "--users",
      "4",
      "--churn",
      "5",
      "--streams",
      "2",
      "--mix",
      "tools/call=1,tools/list=1",
    );
    assertEquals([code, report.errors, report.failures], [0, 0, []]);
    const { "tools/call": call, "tools/list": list, initialize } = report.methods;
    assertEquals(call!.requests + list!.requests + report.unsent, 100);
    const renewed = Math.floor(report.requests / 5);
    assert(Math.abs(initialize!.requests - renewed) <= 4, `${initialize!.requests} sessions`);
  });

  await t.step("/mcp stateless, with listeners", async () => {
    const { code, report } = await load("/mcp", "--protocol", "2026-07-28", "--streams", "3");
    assertEquals([code, report.errors, report.failures], [0, 0, []]);
    // The acknowledgements.
    assertEquals([report.events, report.load.sessions], [3, "none"]);
  });

  await t.step("payloads, and what is expected of every answer", async () => {
    const echo = ["--tool", "demo-echo", "--args", '{"message":"<{payload}>"}', "--payload", "1000..3000"];
    assertEquals((await load("/rpc", ...echo, "--expect", "xxx>")).report.errors, 0);
    const { code, report } = await load("/rpc", ...echo, "--expect", "yyy");
    assertEquals([code, report.errors, report.rate], [1, report.requests, 0]);
    assertEquals(report.failures, [{ what: "not the expected text", count: report.requests }]);
  });

  await t.step("one session of all users over many connections, and none is left behind", async () => {
    const { code, report } = await load("/mcp", "--sessions", "one", "--users", "30");
    assertEquals([code, report.errors, report.load.sessions], [0, 0, "one for all users"]);
    await waitFor(async () => await metric(sluice, "sluice_downstream_sessions") === 0, {
      what: "the end of the session to be counted",
    });
  });

  await t.step("without a token it says what to do", async () => {
    const { code, err } = await bench(`${sluice.url}/mcp`);
    assertEquals(code, 1);
    assertMatch(err, /initialize: HTTP 401.* Give a token by --token-file/);
    assertMatch((await bench(`${sluice.url}/nowhere`)).err, /HTTP 404.*Check the path \(\/nowhere\)/s);
  });
});

Deno.test("faults of a server are failures by kind: refusals, other ids, closed connections, silence, lost sessions", async () => {
  let turn = 0;
  let sessions = 0;
  let ended = 0;
  await using server = serve(({ id, method }, request) => {
    const session = request.headers.get("mcp-session-id");
    if (method === "initialize") {
      const answer = usual({ id, method });
      answer.headers.set("mcp-session-id", `s${++sessions}`);
      return answer;
    }
    if (method === "DELETE") ended++;
    if (method !== "tools/call") return undefined;
    assertEquals(request.headers.get("mcp-protocol-version"), "2025-06-18");
    assert(session !== null);
    const [refused, other, silent, lost, broken] = [0, 1, 2, 3, 4].map((kind) => turn % 6 === kind);
    turn++;
    if (refused) {
      return Response.json({ jsonrpc: "2.0", id, error: { code: -31530, message: "busy" } }, { status: 503 });
    }
    if (other) return Response.json({ jsonrpc: "2.0", id: 99_999, result: {} });
    if (silent) return new Promise((resolve) => setTimeout(() => resolve(usual({ id, method })), 3_000));
    if (lost) return new Response(null, { status: 404 });
    if (broken) {
      const body = new ReadableStream({ start: (controller) => controller.close() });
      return new Response(body, { headers: { "content-length": "500", "content-type": "application/json" } });
    }
    const events = `event: message\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\n\ndata: ${
      JSON.stringify({ jsonrpc: "2.0", id, result: { content: [] } })
    }\n\n`;
    return new Response(events, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
  });
  const { code, report } = await bench(
    server.url,
    "--users",
    "1",
    "--think",
    "0",
    "--duration",
    "6s",
    "--timeout",
    "500ms",
  );
  assertEquals(code, 0);
  const kinds = report.failures.map(({ what }) => what).sort();
  assertEquals(kinds, [
    "HTTP 404: no body",
    "HTTP 503, JSON-RPC error -31530: busy",
    "no answer in time (--timeout)",
    "the connection was closed before the answer",
    "the id of another request",
  ]);
  assertEquals(report.errors, report.failures.reduce((sum, { count }) => sum + count, 0));
  assert(report.requests - report.errors > 3, "the events were read");
  // A request without an answer counts in the latency, a refusal does not.
  assert(report.latency.max! >= 499, `max ${report.latency.max}`);
  const late = report.failures.find(({ what }) => what.startsWith("no answer"))!;
  assertEquals(
    report.methods["tools/call"]!.latency.p999! >= 499 && late.count > 1,
    true,
  );
  // The last one may have been lost at the end.
  const lost = report.failures.find(({ what }) => what.startsWith("HTTP 404"))!.count;
  assert([0, 1].includes(lost - report.methods.initialize!.requests), `${lost} lost`);
  await waitFor(() => ended === sessions, { what: "the end of every session" });
});

Deno.test("users that share a session send no id twice", async () => {
  const ids: number[] = [];
  const sessions = new Set<string | null>();
  await using server = serve(({ id, method }, request) => {
    const answer = usual({ id, method });
    if (method === "initialize") answer.headers.set("mcp-session-id", "shared");
    if (method === "tools/call") {
      ids.push(id!);
      sessions.add(request.headers.get("mcp-session-id"));
    }
    return answer;
  });
  const { report } = await bench(
    server.url,
    "--sessions",
    "one",
    "--users",
    "5",
    "--rate",
    "100",
    "--duration",
    "500ms",
  );
  assertEquals([report.errors, [...sessions]], [0, ["shared"]]);
  assertEquals([ids.length > 10, new Set(ids).size], [true, ids.length]);
});

Deno.test("more arrivals than a server takes: what is not sent counts too", async () => {
  await using server = SlowUpstream.start({ delayMs: 100 });
  const flags = ["--users", "2", "--rate", "40", "--duration", "2s", "--tool", "slow"];
  const { code, report } = await bench(
    server.url,
    ...flags,
    "--assert",
    "unsent<10%",
    "--assert",
    "p99<500ms",
  );
  assertEquals([code, report.assertions.map(({ holds }) => holds)], [1, [false, false]]);
  assertEquals(report.requests + report.unsent, 80);
  assert(report.rate <= 21, `${report.rate} a second`);
  assert(report.latency.max! > 800, `max ${report.latency.max}`);
});

Deno.test("Ctrl-C ends the load with the report so far; a terminal shows how it goes", async () => {
  let calls = 0;
  await using server = serve(({ method }) => {
    if (method === "tools/call") calls++;
    return undefined;
  });
  const html = `${cwd}/interrupted.html`;
  const args = ["bench", server.url, "--duration", "10m", "--rate", "200", "--html", html];
  await using terminal = new Terminal(shellWords(...FROM_SOURCE, ...args), { cwd });
  // One second of warm-up, and more than two that are measured.
  await waitFor(() => calls > 700, { what: "the third second" });
  Deno.kill(Number(/^pid (\d+)$/m.exec(terminal.text)![1]), "SIGINT");
  assertEquals(await terminal.ended(), 0);
  assertMatch(terminal.text, /\d of 600 s {2}\d+\/s {2}p50 [\d.]+ ms {2}p99 [\d.]+ ms {2}errors 0\/s/);
  assertMatch(terminal.text, /The load was interrupted after [\d.]+ s\./);
  assertStringIncludes(await Deno.readTextFile(html), "The load was interrupted");
});

Deno.test("Ctrl-C ends a load at once whose server does not answer when sessions are opened, or tools are listed", async () => {
  for (const silent of ["initialize", "tools/list"]) {
    const held = Promise.withResolvers<undefined>();
    let asked = false;
    await using server = serve(({ method }) => {
      if (method !== silent) return undefined;
      asked = true;
      return held.promise;
    });
    const args = ["bench", server.url, "--users", "1", "--timeout", "10m"];
    await using terminal = new Terminal(shellWords(...FROM_SOURCE, ...args), { cwd });
    const pid = () => /^pid (\d+)$/m.exec(terminal.text)?.[1];
    await waitFor(() => asked && pid() !== undefined, { what: `${silent} at the server` });
    Deno.kill(Number(pid()), "SIGINT");
    assertEquals(await terminal.ended(), 1);
    assertMatch(terminal.text, /The load was interrupted after [\d.]+ s\./);
    held.resolve(undefined);
  }
});

Deno.test("two reports are compared, and rules in percent of the base decide the exit code", async () => {
  await using server = serve(() => undefined);
  const [before, after, page] = ["before.json", "after.json", "page.html"].map((name) => `${cwd}/${name}`);
  for (const [file, rate] of [[before!, "200"], [after!, "100"]] as const) {
    const { code, out } = await runCli([
      "bench",
      server.url,
      "--rate",
      rate,
      "--duration",
      "1s",
      "--warmup",
      "0",
      "--json",
      file,
    ], { cwd });
    assertEquals(code, 0);
    assertMatch(out, /^answered +[\d.]+ a second$/m);
  }
  const compare = (...flags: string[]) => runCli(["bench", "compare", before!, after!, ...flags], { cwd });
  const { code, out, err } = await compare(
    "--assert",
    "rate>90%",
    "--assert",
    "errors<=100%",
    "--html",
    page!,
  );
  assertEquals([code, err], [1, ""]);
  assertMatch(out, /^answered a second +[\d.]+ +[\d.]+ +-\d+(\.\d+)? %$/m);
  assertMatch(out, /^FAILED {2}rate>90%/m);
  assertMatch(out, /^holds {3}errors<=100%/m);
  assertMatch(out, /The loads differ: pace/);
  assertStringIncludes(await Deno.readTextFile(page!), "<svg");
  assertEquals((await compare("--assert", "rate>30%")).code, 0);
  assertMatch((await runCli(["bench", "compare", before!], { cwd })).err, /two reports are needed, not 1/);
});

Deno.test("over TLS it trusts the authority of DENO_CERT, and says so without it", async () => {
  const { certFile, keyFile } = await makeSelfSigned(cwd, "bench");
  const [cert, key] = [certFile, keyFile].map((file) => Deno.readTextFileSync(file));
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert: cert!, key: key!, onListen: () => {} },
    async (request) => usual(request.method === "POST" ? await request.json() : { method: request.method }),
  );
  const args = ["bench", `https://localhost:${server.addr.port}/mcp`, "--duration", "300ms", "--warmup", "0"];
  const untrusted = await runCli(args, { cwd });
  assertEquals(untrusted.code, 1);
  assertMatch(
    untrusted.err,
    /its certificate is not signed by a known authority\. Name its authority by DENO_CERT$/m,
  );
  const trusted = await runCli(args, { cwd, env: { DENO_CERT: certFile } });
  assertEquals([trusted.code, trusted.err], [0, ""]);
  assertMatch(trusted.out, /^errors +0$/m);
  await server.shutdown();
});

Deno.test("an address without a server, and mistakes on the command line, are told at once", async () => {
  const { code, err } = await bench(`http://127.0.0.1:${freePort()}/mcp`);
  assertEquals(code, 1);
  assertMatch(err, /Cannot use the gateway at .*: connection refused. Start the server, or correct the URL/);
  const wrong = await bench("localhost:4444", "--rate", "x", "--assert", "p99");
  assertEquals(wrong.code, 2);
  assertMatch(wrong.err, /URL must be .*\n.*--rate must be .*\n.*--assert "p99" is no rule/);
  // A report that could not be kept is told before the load, and no file is left.
  let asked = 0;
  await using server = serve(() => {
    asked++;
    return undefined;
  });
  const encrypted = await bench(server.url.replace("http:", "https:"));
  assertMatch(encrypted.err, /it does not speak TLS on this port\. Use http:\/\/ in the URL/);
  const [page, kept] = [`${cwd}/no/folder/page.html`, `${cwd}/kept.json`];
  const lost = await runCli(["bench", server.url, "--duration", "1s", "--json", kept, "--html", page], {
    cwd,
  });
  const reason = "no file can be made there. Make its folder first, or choose another one";
  assertEquals([lost.code, lost.err, asked], [1, `sluice: Cannot use ${page}: ${reason}\n`, 0]);
  assertEquals(existsSync(kept), false);
});

Deno.test("A measurement that a signal ends leaves no program behind, of those either that it starts afterwards", async () => {
  // Nobody else on the machine sleeps so long.
  const mark = 300_000 + crypto.getRandomValues(new Uint32Array(1))[0]! % 600_000;
  const script = `${cwd}/measurement.ts`;
  const url = new URL("../../bench/interruptible.ts", import.meta.url);
  // A shell that waits for another program; a stubborn one; and after each a further one, as `bench:compare` has.
  await Deno.writeTextFile(
    script,
    `import { interruptible } from "${url}";
    const start = (shell: string) => new Deno.Command("/bin/sh", { args: ["-c", shell] }).spawn();
    Deno.exit(await interruptible(async (signal) => {
      const stubborn = start("(trap '' TERM; sleep ${mark}.1) & echo ready; wait");
      await start("sleep ${mark}.2 & wait").status;
      await start("sleep ${mark}.3").status;
      await stubborn.status;
      Deno.writeTextFileSync("${cwd}/unwound", String(signal.aborted));
      return 0;
    }, 500));`,
  );
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--config", config, script],
    cwd,
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assertStringIncludes((await reader.read()).value!, "ready");
  await waitFor(() => sleepers(mark).length === 2, { what: "both programs" });
  child.kill("SIGTERM");
  assertEquals((await child.status).code, 143);
  await waitFor(() => sleepers(mark).length === 0, { what: "their end" });
  assertEquals(Deno.readTextFileSync(`${cwd}/unwound`), "true");
  await reader.cancel();
});

/** The programs of the test above, by what they sleep. */
function sleepers(mark: number): string[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    try {
      const [program, time] = Deno.readTextFileSync(`/proc/${name}/cmdline`).split("\0");
      return program === "sleep" && time!.startsWith(`${mark}.`) ? [time!] : [];
    } catch {
      return [];
    }
  });
}
