// The counters of /metrics while workers are recycled, die and stand still under load.
import { assert, assertEquals } from "@std/assert";
import { FastUpstream } from "../support/fast_upstream.ts";
import { toolCall } from "../support/mcp_post.ts";
import { paced } from "../support/pace.ts";
import { Sluice, type SluiceOptions } from "../support/sluice.ts";
import { startLoad, type SteadyLoad } from "../support/steady_load.ts";
import { waitFor } from "../support/wait_for.ts";

const CALLS = 'sluice_http_answers_total{endpoint="rpc",status="200"}';

/** Series that count the same calls, each in its own room. */
const CALLS_BY_TOOL = [
  'sluice_tool_calls_total{upstream="fast",tool="echo",outcome="success"}',
  'sluice_tool_call_duration_seconds_count{upstream="fast",tool="echo"}',
  'mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call",error_type=""}',
  'mcp_client_operation_duration_seconds_bucket{upstream="fast",error_type="",le="+Inf"}',
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

async function startLoaded(
  options: SluiceOptions,
  upstream: FastUpstream,
): Promise<[Sluice, () => Promise<SteadyLoad>]> {
  const sluice = await Sluice.start(options);
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
  return [sluice, load];
}

const events = (sluice: Sluice, name: string) => sluice.log().filter(({ event }) => event === name).length;

Deno.test("No counter falls while workers are recycled under load, and no count is lost", async () => {
  await using upstream = FastUpstream.start();
  const env = { MAX_REQUESTS: "200", MAX_REQUESTS_JITTER: "20" };
  const [sluice, load] = await startLoaded({ env }, upstream);
  await using _ = sluice;
  const watch = watchCounters(sluice);
  const serving = await load();
  await waitFor(() => events(sluice, "worker recycled") >= 3, { what: "3 recycles", deadlineMs: 90_000 });
  const { ok, failures } = await serving.stop();
  const { fallen, scrapes } = await watch.stop();
  assertEquals([fallen, failures], [[], []]);
  assert(scrapes > 10, `${scrapes} scrapes`);
  const counters = await scrape(sluice);
  assertEquals(counters.get(CALLS), ok);
  assertEquals((await sluice.api("GET", "/metrics")).body.tools.totalExecutions, ok);
  assertEquals(CALLS_BY_TOOL.map((series) => counters.get(series)), CALLS_BY_TOOL.map(() => ok));
});

Deno.test("No counter falls while workers die and stand still under load, and every answered call is counted", async () => {
  await using upstream = FastUpstream.start();
  const options = {
    main: "tests/support/faulty_serve.ts",
    permissions: ["-A"],
    env: { WORKER_TIMEOUT: String(Math.ceil(await paced(1))) },
  };
  const [sluice, load] = await startLoaded(options, upstream);
  await using _ = sluice;
  const watch = watchCounters(sluice);
  const serving = await load();
  let before = 0;
  for (const [worker, fault] of [[0, "throw"], [1, "block"], [1, "throw"]] as const) {
    // Each has counted something first.
    const counted = before;
    await waitFor(async () => (await scrape(sluice)).get(CALLS)! > counted + 100, {
      what: "calls",
    });
    before = (await scrape(sluice)).get(CALLS)!;
    const died = events(sluice, "worker died");
    await Deno.writeTextFile(`${sluice.cwd}/fault-${worker}`, fault);
    await waitFor(() => events(sluice, "worker died") > died, { what: `the ${fault}` });
    await waitFor(async () => (await sluice.api("GET", "/admin/mcp-pool/metrics")).body.workers === 2, {
      what: "both workers to serve",
    });
  }
  const { ok, failures } = await serving.stop();
  const { fallen, scrapes } = await watch.stop();
  assertEquals(fallen, []);
  assert(scrapes > 10, `${scrapes} scrapes`);
  const counters = await scrape(sluice);
  const written: number = (await sluice.api("GET", "/metrics")).body.tools.totalExecutions;
  const counts = [CALLS, ...CALLS_BY_TOOL].map((series) => [series, counters.get(series)!] as const);
  for (const [what, count] of [...counts, ["in the database", written] as const]) {
    // A call whose worker died before its answer was sent may be counted.
    assert(ok <= count && count <= ok + failures.length, `${what}: ${ok} <= ${count} <= +${failures.length}`);
  }
});
