// The counters of /metrics while workers are recycled, die and stand still under load.
import { assert, assertEquals } from "@std/assert";
import { FastUpstream } from "../support/fast_upstream.ts";
import { toolCall } from "../support/mcp_post.ts";
import { paced } from "../support/pace.ts";
import { workerThreads } from "../support/process_stats.ts";
import { Sluice } from "../support/sluice.ts";
import { startLoad } from "../support/steady_load.ts";
import { waitFor } from "../support/wait_for.ts";

/** For a long run: COUNTED_RECYCLES=20 COUNTED_DEATHS=5. */
const RECYCLES = Number(Deno.env.get("COUNTED_RECYCLES") ?? 2);
const DEATHS = Number(Deno.env.get("COUNTED_DEATHS") ?? 2);

/** Series that count the same calls, each in its own room. */
const CALLS = [
  'sluice_http_answers_total{endpoint="rpc",status="200"}',
  'sluice_tool_calls_total{upstream="fast",gen_ai_tool_name="echo",outcome="success"}',
  'sluice_tool_call_duration_seconds_count{upstream="fast",gen_ai_tool_name="echo"}',
  'mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call",error_type=""}',
  'mcp_client_operation_duration_seconds_bucket{upstream="fast",mcp_method_name="tools/call",error_type="",le="+Inf"}',
];

/** Series -> value, of all counters, histograms and summaries. */
type Counters = ReadonlyMap<string, number>;

/** Scrapes on a connection of its own, so that any worker may answer. @throws {Error} if a worker dies meanwhile */
async function scrape(sluice: Sluice): Promise<Counters> {
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  try {
    const headers = { authorization: `Bearer ${await sluice.token()}`, connection: "close" };
    const response = await fetch(`${sluice.url}/metrics/prometheus`, { client, headers });
    const text = await response.text();
    assertEquals(response.status, 200, text);
    const lines = text.split("\n");
    const counters = lines.flatMap((line) =>
      /^# TYPE (\S+) (?:counter|histogram|summary)$/.exec(line)?.[1] ?? []
    );
    const values = lines.filter((line) => counters.some((name) => line.startsWith(name)))
      .map((line) =>
        [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))] as const
      );
    return new Map(values);
  } finally {
    client.close();
  }
}

/** Scrapes again and again until it is told to end. @returns the series that fell, and how many scrapes were answered */
function watchCounters(sluice: Sluice): { stop(): Promise<{ fallen: string[]; scrapes: number }> } {
  let going = true;
  let scrapes = 0;
  let last: Counters = new Map();
  const fallen: string[] = [];
  const watching = (async () => {
    while (going) {
      const now = await scrape(sluice).catch(() => null);
      // The worker that was asked has died over it.
      if (now === null) continue;
      scrapes++;
      for (const [series, value] of last) {
        if (!((now.get(series) ?? 0) >= value)) fallen.push(`${series}: ${value}, then ${now.get(series)}`);
      }
      last = now;
    }
  })();
  return {
    stop: async () => {
      going = false;
      await watching;
      return { fallen, scrapes };
    },
  };
}

const events = (sluice: Sluice, name: string) => sluice.log().filter(({ event }) => event === name).length;

/** Ends a worker that has counted something, and waits for the next one. @param fault see faulty_worker.ts */
async function strike(sluice: Sluice, worker: number, fault: string): Promise<void> {
  const before = (await scrape(sluice)).get(CALLS[0]!) ?? 0;
  await waitFor(async () => (await scrape(sluice)).get(CALLS[0]!)! > before + 100, {
    what: "calls",
  });
  const died = events(sluice, "worker died");
  await Deno.writeTextFile(`${sluice.cwd}/fault-${worker}`, fault);
  await waitFor(() => events(sluice, "worker died") > died, { what: `the ${fault}` });
  await waitFor(async () => (await sluice.api("GET", "/admin/mcp-pool/metrics")).body.workers === 2, {
    what: "both workers to serve",
  });
}

Deno.test("No counter falls while workers are recycled, die and stand still under load", async (t) => {
  await using upstream = FastUpstream.start();
  await using sluice = await Sluice.start({
    main: "tests/support/faulty_serve.ts",
    permissions: ["-A"],
    env: { WORKER_TIMEOUT: String(Math.ceil(await paced(1))) },
  });
  await sluice.registerUpstream("fast", upstream.url);
  const load = async () =>
    startLoad({
      url: `${sluice.url}/rpc`,
      headers: { authorization: `Bearer ${await sluice.token()}`, "content-type": "application/json" },
      body: JSON.stringify(toolCall("fast-echo", { message: "alive" })),
      clients: 4,
      pauseMs: 2,
      isRight: (status, text) => status === 200 && text.includes("alive"),
    });
  /** By each of the series, and in the database. */
  const counts = async () => {
    const counters = await scrape(sluice);
    const { body } = await sluice.api("GET", "/metrics");
    return [...CALLS.map((series) => counters.get(series)!), body.tools.totalExecutions as number];
  };
  const watch = watchCounters(sluice);
  let answered = 0;

  await t.step("while they are recycled, every answer is counted", async () => {
    const serving = await load();
    for (let recycled = 0; recycled < RECYCLES; recycled += sluice.workers) {
      // A setting that changes nothing here: each change of one replaces all workers.
      await Deno.writeTextFile(`${sluice.cwd}/.env`, `MAX_REQUESTS_JITTER=${recycled + 1}\n`);
      Deno.kill(sluice.pid, "SIGHUP");
      await waitFor(() => events(sluice, "worker recycled") >= recycled + sluice.workers, {
        what: `${recycled + sluice.workers} recycles`,
        deadlineMs: 90_000,
      });
    }
    const { ok, failures } = await serving.stop();
    answered += ok;
    assertEquals([failures, await counts()], [[], [...CALLS, ""].map(() => answered)]);
    // A worker that is being replaced has the same number as its successor.
    await waitFor(() => workerThreads(sluice.pid) === sluice.workers, { what: "the old workers to end" });
  });

  await t.step("while they die and stand still between calls, too", async () => {
    const serving = await load();
    for (let deaths = 0; deaths < DEATHS; deaths++) {
      await strike(sluice, deaths % sluice.workers, `${deaths % 2 === 0 ? "throw" : "block"} between calls`);
    }
    answered += (await serving.stop()).ok;
    assertEquals(await counts(), [...CALLS, ""].map(() => answered));
  });

  await t.step(
    "while they die and stand still over calls, calls without an answer may be counted",
    async () => {
      const serving = await load();
      await strike(sluice, 0, "throw");
      await strike(sluice, 1, "block");
      const { ok, failures } = await serving.stop();
      answered += ok;
      const most = answered + failures.length;
      const all = await counts();
      assert(all.every((count) => answered <= count && count <= most), `${all}: ${answered} to ${most}`);
    },
  );

  const { fallen, scrapes } = await watch.stop();
  assertEquals(fallen, []);
  assert(scrapes > 10, `${scrapes} scrapes`);
});
