// 1,000 sessions to a stdio upstream, opened and dropped while workers are recycled: what is left of them is nothing.
import { assert, assertEquals } from "@std/assert";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { openFds } from "../support/process_stats.ts";
import { Sluice } from "../support/sluice.ts";
import { counterLaunch, groupMembers, processesWith } from "../support/stdio_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const SESSIONS = 1_000;
const AT_ONCE = 20;

/** Of descriptors that come and go with connections and workers. */
const SLACK_FDS = 16;

Deno.test("1,000 stdio sessions opened and dropped, workers recycled between, leave no process and no descriptor", async () => {
  await using sluice = await Sluice.start({
    env: {
      STDIO_ENABLED: "true",
      MAX_REQUESTS: "400",
      MAX_REQUESTS_JITTER: "50",
      GRACEFUL_TIMEOUT: "5",
      // Those that are dropped without a word end soon.
      SESSION_TTL: "5",
      STDIO_IDLE_TIMEOUT: "2",
      // A third of what is opened lives on for so long, on a quick machine that is many.
      STDIO_MAX_PROCESSES: "1000",
      STDIO_MAX_PROCESSES_PER_UPSTREAM: "1000",
    },
  });
  const token = await sluice.token();
  const mark = `mark-${crypto.randomUUID()}`;
  const { status } = await sluice.api("POST", "/gateways", {
    name: "counter",
    transport: "STDIO",
    ...counterLaunch(mark),
  });
  assertEquals(status, 200);
  const leaders = new Set<number>();
  const session = async (n: number) => {
    const id = await openSession(sluice, { token });
    const call = async (name: string) =>
      (await post(sluice, toolCall(name), { token, headers: inSession(id) })).body;
    // Recycled between two calls, the session has a new process: each count is its process's own.
    const first = await call("counter-increment");
    assertEquals(first.result?.content?.[0]?.text, "1", JSON.stringify(first));
    if (n % 10 === 0) await call("counter-crash");
    // Every third client just goes.
    if (n % 3 === 0) return;
    const response = await fetch(`${sluice.url}/mcp`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${token}`, connection: "close", ...inSession(id) },
    });
    await response.body?.cancel();
  };
  const settled = async () => {
    await waitFor(() => processesWith(mark).length === 0, {
      what: "every process to end",
    });
  };
  const run = async (from: number, to: number) => {
    for (let n = from; n < to; n += AT_ONCE) {
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, to - n) }, (_, i) => session(n + i)));
      for (const pid of processesWith(mark)) leaders.add(pid);
    }
    await settled();
  };
  await run(0, 100);
  const before = openFds(sluice.pid);
  await run(100, SESSIONS);

  const recycled = sluice.log().filter(({ event }) => event === "recycling worker").length;
  assert(recycled >= 2, `${recycled} workers were recycled`);
  assertEquals(groupMembers([...leaders]), []);
  await waitFor(() => openFds(sluice.pid) <= before + SLACK_FDS, {
    what: `no more than ${before + SLACK_FDS} descriptors, there are ${openFds(sluice.pid)}`,
  });
  // The gateway counts a process until its pipes are gone, too.
  await waitFor(async () => {
    const { body: metrics } = await sluice.api("GET", "/metrics/prometheus");
    return /^sluice_stdio_processes 0$/m.test(String(metrics));
  }, { what: "no process to be counted" });
});
