import { assertEquals, assertRejects } from "@std/assert";
import { FakeUpstream } from "../../tests/support/fake_upstream.ts";
import { upstreamDeps, upstreamProfile } from "../../tests/support/upstream_deps.ts";
import { systemClock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import { BoundSessions } from "./bound/bound_sessions.ts";
import { ClientState } from "./client/client_state.ts";
import type { DuplexConnection } from "./duplex/duplex_connection.ts";
import { DuplexTransport } from "./duplex/duplex_transport.ts";
import { Upstream, type UpstreamCall, type UpstreamProfile } from "./upstream.ts";

/** An upstream whose sessions behave like processes: each counts its calls. */
function processes(profile: Partial<UpstreamProfile> = {}) {
  const connections = new Set<DuplexConnection>();
  const state = { started: 0 };
  const transport = new DuplexTransport({
    kind: "stdio",
    upstream: "counter",
    address: "stdio:counter",
    maxResponseBytes: 10_000,
    clock: systemClock,
    idleMs: Infinity,
    sharedIdleMs: Infinity,
    openLimit: { ms: 1_000, setting: "A_SETTING" },
    pingAfterMs: Infinity,
    connections,
    onStray: () => {},
    open: (_passed, receiver) => {
      state.started++;
      let count = 0;
      return Promise.resolve({
        send: (text: string) => {
          const { id, method } = JSON.parse(text);
          const result = method === "initialize"
            ? { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: {} }
            : { count: method === "tools/call" ? ++count : 0 };
          if (id !== undefined) receiver.receive(JSON.stringify({ jsonrpc: "2.0", id, result }));
          return Promise.resolve();
        },
        withoutSecrets: (text: string) => text,
        close: () => Promise.resolve(),
      });
    },
  });
  return { state, upstream: new Upstream(upstreamProfile(profile), transport, upstreamDeps()) };
}

/** A client whose record names these upstreams; `kept` is what was written to the record. */
function client(workerLocalBefore: string[] = []) {
  const kept: string[][] = [];
  const own: ClientState = new ClientState({
    workerLocalBefore,
    onChange: () => Promise.resolve(void kept.push(own.workerLocal.upstreamIds)),
  });
  return { bound: new BoundSessions(own), kept };
}

function increment(upstream: Upstream, bound: BoundSessions): Promise<string> {
  const call: UpstreamCall = {
    bound,
    token: { issuer: "i", subject: "ann", reach: "", user: "u@x.example" },
    received: new Headers(),
    revision: "2025-11-25",
    timeoutMs: 1_000,
    timeoutSetting: "TOOL_TIMEOUT",
  };
  return upstream.request("tools/call", "{}", call).then(({ text }) => text);
}

Deno.test("Upstream.request() says once that what a process kept has ended with its worker, and goes on with a new one", async () => {
  const { state, upstream } = processes();
  const { bound, kept } = client(["other", "u"]);
  const error = await assertRejects(() => increment(upstream, bound), SluiceError, '"counter" has lost');
  assertEquals([error.code, error.row.retry, state.started], ["UPSTREAM_STATE_LOST", "later", 0]);
  assertEquals([await increment(upstream, bound), await increment(upstream, bound)], [
    '{"count":1}',
    '{"count":2}',
  ]);
  assertEquals(kept, [["other"], ["u", "other"]]);
});

Deno.test("Upstream.request() says it to one of several calls that come together", async () => {
  const { upstream } = processes();
  const { bound } = client(["u"]);
  const results = await Promise.allSettled([1, 2, 3].map(() => increment(upstream, bound)));
  assertEquals(results.map(({ status }) => status).toSorted(), ["fulfilled", "fulfilled", "rejected"]);
});

Deno.test("Upstream.request() keeps which upstreams have a process for the client, once, and before the first answer", async () => {
  const { upstream } = processes();
  const { bound, kept } = client();
  await increment(upstream, bound);
  assertEquals(kept, [["u"]]);
  await increment(upstream, bound);
  assertEquals(kept, [["u"]]);
});

Deno.test("Upstream.request() says nothing of sessions that are opened anew over HTTP, or shared", async () => {
  const http = new Upstream(upstreamProfile(), new FakeUpstream().transport(), upstreamDeps());
  const { bound, kept } = client();
  await increment(http, bound);
  assertEquals(kept, [], "such a session can move");

  const shared = processes({ isolation: "shared" });
  const after = client(["u"]);
  assertEquals(await increment(shared.upstream, after.bound), '{"count":1}');
  assertEquals(after.kept, []);
});
