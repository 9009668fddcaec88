import { assert, assertEquals, assertRejects } from "@std/assert";
import { Cancellation } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import { requestText } from "../../mcp/json_rpc.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import { FakeClock, settled } from "../../../tests/support/fake_clock.ts";
import { FakePeers, type Script, statelessScript } from "../../../tests/support/fake_peers.ts";
import type { Greeting, HeaderList, RequestOptions } from "../transport/transport.ts";
import { Deadline } from "../resilience/deadline.ts";
import type { DuplexTransportOptions } from "./duplex_transport.ts";

/** The other side speaks 2026-07-28 if its greeting says so. */
const GREETING: Greeting = {
  method: "server/discover",
  params: '{"_meta":{"who":"we"}}',
  follow: () => null,
  accept: ({ result }) => {
    if (result === undefined) {
      throw new SluiceError("UPSTREAM_REJECTED", { upstream: "up", method: "server/discover", reason: "no" });
    }
  },
};

function setUp(options: Partial<DuplexTransportOptions> = {}, script?: Script) {
  const clock = new FakeClock();
  const upstream = new FakePeers(clock, script);
  const transport = upstream.transport(options);
  const shared = transport.stateless(STATELESS_REVISION, GREETING)!;
  let nextId = 1;
  const call = (more: Partial<RequestOptions> = {}, method = "tools/call") => {
    const id = nextId++;
    const deadline = new Deadline(20_000, "A_SETTING", clock.now());
    return shared.request(id, requestText(id, method, '{"name":"t"}'), { deadline, ...more });
  };
  return { clock, upstream, transport, shared, call };
}

const as = (value: string): { passed: HeaderList } => ({ passed: [["authorization", value]] });

async function failure(work: Promise<unknown>) {
  const { code, params } = await assertRejects(() => work, SluiceError);
  return { code, ...params };
}

Deno.test("SharedConnection opens nothing before the first call, and one process for all that come together", async () => {
  const { upstream, shared, call } = setUp();
  assertEquals([upstream.peers.length, shared.isStateful, shared.closed], [0, false, false]);
  await Promise.all([call(), call(as("Bearer one")), call(as("Bearer other"))]);
  await call();
  assertEquals(upstream.peers.map(({ methods }) => methods), [
    ["server/discover", "tools/call", "tools/call", "tools/call", "tools/call"],
  ]);
  assertEquals(upstream.last.heard[0]!.params, { _meta: { who: "we" } });
});

Deno.test("SharedConnection never puts calls with different headers on one socket", async () => {
  const { upstream, call } = setUp({ kind: "websocket" });
  await Promise.all([call(), call(as("a")), call(as("b")), call(as("a"))]);
  await call(as("b"));
  assertEquals(
    upstream.peers.map(({ passed, methods }) => [passed, methods.length - 1]),
    [[[], 1], [as("a").passed, 2], [as("b").passed, 2]],
  );
});

Deno.test("SharedConnection keeps no more sockets than a few hundred, and ends none with a call in it", async () => {
  const { upstream, call, clock } = setUp(
    { kind: "websocket" },
    (said, peer) =>
      peer.passed[0]?.[1] === "slow" && said.method !== "server/discover"
        ? undefined
        : statelessScript(said, peer),
  );
  const slow = call(as("slow"));
  for (let i = 0; i < 300; i++) await call(as(`${i}`));
  await clock.tick(0);
  assertEquals([upstream.peers.length, upstream.open], [301, 257]);
  upstream.peers[0]!.says({ id: 1, result: {} });
  await slow;
  await settled();
  assertEquals(upstream.open, 256);
});

Deno.test("SharedConnection fails the calls of a process that ends, and has another for the next", async () => {
  const { upstream, call } = setUp(
    {},
    (said, peer) => said.params?.name === "t" ? undefined : statelessScript(said, peer),
  );
  const calls = [call(), call()].map(failure);
  await settled();
  upstream.last.exit();
  for (const error of await Promise.all(calls)) {
    assertEquals([error.code, error.sent], ["UPSTREAM_CLOSED", 1]);
  }
  upstream.script = statelessScript;
  await call();
  assertEquals(upstream.peers.length, 2);
});

Deno.test("SharedConnection says who did not return its greeting, and leaves nothing behind", async () => {
  const cases: [Script, code: string][] = [
    [() => ({ error: { code: -32601, message: "Method not found" } }), "UPSTREAM_REJECTED"],
    [() => "exit", "UPSTREAM_CONNECT_FAILED"],
    [() => undefined, "UPSTREAM_TIMEOUT"],
  ];
  for (const [script, code] of cases) {
    const { clock, upstream, call } = setUp({}, script);
    const waiting = Promise.all([call(), call()].map(failure));
    await clock.tick(5_000);
    for (const error of await waiting) assertEquals([error.code, error.ungreeted], [code, "yes"]);
    assertEquals([upstream.peers.length, upstream.open, upstream.connections.size, clock.timers], [
      1,
      0,
      0,
      0,
    ]);
    assertEquals(
      upstream.last.methods.filter((method) => method !== "server/discover"),
      code === "UPSTREAM_TIMEOUT" ? ["notifications/cancelled"] : [],
    );
    upstream.script = statelessScript;
    await call();
  }
});

Deno.test("SharedConnection passes on why nothing could be opened", async () => {
  const { upstream, call } = setUp();
  upstream.failure = new SluiceError("STDIO_LIMIT_REACHED", { upstream: "up", reason: "1", setting: "S" });
  const error = await failure(call());
  assertEquals([error.code, "ungreeted" in error], ["STDIO_LIMIT_REACHED", false]);
  upstream.failure = undefined;
  await call();
});

Deno.test("SharedConnection opens to the end whoever gives up, within the time of each call", async () => {
  const { clock, upstream, call } = setUp({}, () => undefined);
  const signal = new Cancellation();
  const cancelled = assertRejects(() => call({ signal }), Error, "enough");
  const impatient = failure(call({ deadline: new Deadline(1_000, "A_SETTING", clock.now()) }));
  const patient = call();
  const listening = call(
    { isLongLived: true, deadline: new Deadline(0, "none", clock.now()) },
    "subscriptions/listen",
  );
  await settled();
  signal.cancel(new Error("enough"));
  await cancelled;
  await clock.tick(1_000);
  const { code, phase, timeoutMs } = await impatient;
  assertEquals([code, phase, timeoutMs], ["UPSTREAM_TIMEOUT", "open a connection", 1_000]);
  upstream.last.says({ id: 0, result: {} });
  await settled();
  assertEquals(upstream.last.methods.toSorted(), ["server/discover", "subscriptions/listen", "tools/call"]);
  for (const id of [3, 4]) upstream.last.says({ id, result: {} });
  await Promise.all([patient, listening]);
});

Deno.test("SharedConnection ends a process that nobody has called for the idle time, but none with a subscription", async () => {
  const { clock, upstream, call } = setUp({ sharedIdleMs: 1_000 });
  await call();
  await clock.tick(2_100);
  assertEquals(upstream.open, 0);
  const stop = new AbortController();
  const options = { isLongLived: true, signal: stop.signal, deadline: new Deadline(0, "none", clock.now()) };
  const listening = assertRejects(() => call(options, "subscriptions/listen"));
  await call();
  await clock.tick(60_000);
  assertEquals([upstream.peers.length, upstream.open], [2, 1]);
  stop.abort();
  await listening;
  assertEquals(
    upstream.last.heard.at(-1),
    {
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId: 2 },
    } as typeof upstream.last.heard[0],
  );
  await clock.tick(2_100);
  assertEquals([upstream.open, clock.timers], [0, 0]);
});

Deno.test("SharedConnection.close() ends what is open and what is being opened, and opens nothing more", async () => {
  for (const isGreeted of [true, false]) {
    const { clock, upstream, shared, call } = setUp({}, isGreeted ? statelessScript : () => undefined);
    if (isGreeted) await call();
    else {
      const waiting = failure(call());
      await settled();
      await shared.close();
      const error = await waiting;
      assertEquals([error.code, error.sent, error.ungreeted], ["UPSTREAM_CLOSED", 0, undefined]);
    }
    await shared.close();
    assertEquals((await failure(call())).sent, 0);
    assertEquals([shared.closed, upstream.peers.length, upstream.open, clock.timers], [true, 1, 0, 0]);
  }
});

for (const retired of ["transport", "shared"] as const) {
  Deno.test(`The shared processes of a retired ${retired} end with the calls under way, one that is opened after that too`, async () => {
    const made = setUp(
      {},
      (said, peer) => said.params?.name === "t" ? undefined : statelessScript(said, peer),
    );
    const { upstream, call } = made;
    const before = call();
    await settled();
    made[retired].retire!();
    await settled();
    assertEquals(upstream.open, 1);
    upstream.last.says({ id: 1, result: {} });
    await before;
    assertEquals(upstream.open, 0);
    const after = [call(), call()];
    await settled();
    assertEquals(upstream.open, 1);
    for (const id of [2, 3]) upstream.last.says({ id, result: {} });
    await Promise.all(after);
    await settled();
    assertEquals([upstream.peers.length, upstream.open], [2, 0]);
  });
}

Deno.test("SharedConnection asks a silent socket as the revision can, and ends where it says nothing", async () => {
  const { clock, upstream, shared, call } = setUp({ kind: "websocket", pingAfterMs: 1_000 });
  await call();
  // A silent subscription is no fault.
  const options = { isLongLived: true, deadline: new Deadline(0, "none", clock.now()) };
  const listening = failure(call(options, "subscriptions/listen"));
  await clock.tick(1_000);
  assertEquals(upstream.last.methods.slice(2), ["subscriptions/listen", "server/discover"]);
  assertEquals(upstream.last.heard.at(-1)!.params, { _meta: { who: "we" } });
  await clock.tick(500);
  assertEquals(upstream.open, 1);
  upstream.script = () => undefined;
  await clock.tick(3_000);
  assertEquals((await listening).code, "UPSTREAM_CLOSED");
  assertEquals([upstream.open, upstream.strays, clock.timers], [0, [], 0]);
  assert(!upstream.last.methods.includes("ping"));
  await shared.close();
});
