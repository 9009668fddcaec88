// The revision spoken over channels (processes, sockets): it is detected, remembered, and detected again.
import { assertEquals, assertRejects } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { settle, turned } from "../../tests/support/fakes.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import {
  DISCOVERED,
  FakePeers,
  type Script,
  sessionScript,
  statelessScript,
} from "../../tests/support/fake_peers.ts";
import { call } from "../../tests/support/pooled_upstream.ts";
import { type GivenProfile, upstreamDeps, upstreamProfile } from "../../tests/support/upstream_deps.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { Cancellation } from "../base/cancellation.ts";
import { systemClock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import { type AnyRevision, META, STATELESS_REVISION } from "../mcp/revisions.ts";
import { TASKS_EXTENSION } from "../mcp/tasks.ts";
import { BoundSessions } from "./bound/bound_sessions.ts";
import { ClientState } from "./client/client_state.ts";
import { discover } from "./discover.ts";
import { probeUpstream } from "./health/probe.ts";
import { Upstream, type UpstreamCall, type UpstreamDeps } from "./upstream.ts";

const OPTIONS = {
  clientInfo: { name: "test", version: "1" },
  timeoutMs: 300,
  stdioStart: { ms: 300, setting: "STDIO_START_TIMEOUT" },
  limits: { maxEntries: 100, maxBytes: 10_000 },
};
const REFUSED = { error: { code: -32000, message: "Server not initialized" } };

const METHODS_OF_TWO_CALLS = ["server/discover", "tools/call", "tools/call"];

const dualScript: Script = (said, peer) =>
  said.method === "initialize" ? sessionScript(undefined)(said, peer) : statelessScript(said, peer);

/** An upstream whose row names this revision; null: a revision with sessions. */
function setUp(
  rowSays: string | null,
  script: Script,
  deps: Partial<UpstreamDeps> = {},
  profile: GivenProfile = {},
) {
  const fake = new FakePeers(systemClock, script);
  const upstream = new Upstream(
    upstreamProfile({ statelessRevision: rowSays, ...profile }),
    fake.transport({ openLimit: { ms: 300, setting: "A_SETTING" } }),
    upstreamDeps(deps),
  );
  const ask = async (bound: BoundSessions | null = null) =>
    JSON.parse((await upstream.request("tools/call", '{"name":"t"}', call({ bound }))).text).method;
  return { fake, upstream, ask };
}

Deno.test("discover() asks a channel for initialize first, and for 2026-07-28 where that is refused, on the same one", async () => {
  const fake = new FakePeers(systemClock, statelessScript);
  const found = await discover(fake.transport(), OPTIONS);
  assertEquals([found.protocolVersion, found.protocols, found.stateful], [
    STATELESS_REVISION,
    [STATELESS_REVISION],
    false,
  ]);
  assertEquals([fake.peers.length, fake.open], [1, 0]);
  assertEquals(fake.last.methods.slice(0, 2), ["initialize", "server/discover"]);
});

const NOT_KNOWN = { code: -32601, message: "Method not found" };

/** A server of both kinds whose process serves the one that it is asked first. `refusal`: what it says to the other. */
const pinnedScript = (refusal: unknown): Script => (said, peer) => {
  const isInitialized = peer.methods[0] === "initialize";
  if (said.method !== "server/discover") return sessionScript(undefined)(said, peer);
  return isInitialized ? { error: refusal } : { result: DISCOVERED };
};

Deno.test("discover() finds that a server of both kinds serves one of them at a time, by its refusal", async () => {
  const initialized = pinnedScript({ code: -32600, message: "initialized" });
  const cases = [[dualScript, 1, 1], [initialized, 2, 1], [pinnedScript(NOT_KNOWN), 2, 2]] as const;
  for (const [script, started, startedAgain] of cases) {
    const fake = new FakePeers(systemClock, script);
    const found = await discover(fake.transport(), OPTIONS);
    const both = [STATELESS_REVISION, "2025-11-25"];
    assertEquals([found.protocolVersion, found.protocols, found.stateful], ["2025-11-25", both, true]);
    assertEquals([fake.peers.length, fake.open, fake.peers[0]!.methods[0]], [started, 0, "initialize"]);
    // What is known costs no second process, unless the process denies it.
    const again = new FakePeers(systemClock, script);
    const known = { protocol: "auto", protocols: both, serverInfo: found.serverInfo };
    assertEquals((await discover(again.transport(), OPTIONS, known)).protocols, both);
    assertEquals(again.peers.length, startedAgain);
  }
});

Deno.test("discover() starts an older server once, whatever it does when it is asked for 2026-07-28", async () => {
  const odd = [{ result: {} }, { result: { ...DISCOVERED, supportedVersions: ["2099-01-01"] } }];
  for (const onProbe of [...odd, "exit" as const, undefined]) {
    const fake = new FakePeers(systemClock, sessionScript(onProbe));
    const found = await discover(fake.transport(), OPTIONS);
    assertEquals([found.protocolVersion, found.protocols, found.stateful], [
      "2025-11-25",
      ["2025-11-25"],
      true,
    ]);
    assertEquals([fake.peers.length, fake.open], [1, 0]);
    assertEquals(fake.last.methods.slice(0, 2), ["initialize", "notifications/initialized"]);
  }
});

Deno.test("discover() asks a second process of a program that does not know server/discover, once for each version of the program", async () => {
  const script = sessionScript({ error: NOT_KNOWN });
  const old: Script = (said, peer) =>
    said.method === "initialize"
      ? { result: { protocolVersion: "2025-06-18", capabilities: {} } }
      : script(said, peer);
  const known = { protocol: "auto", protocols: ["2025-11-25"] };
  const cases = [
    ["at first", script, undefined, 2],
    ["the same program", script, { ...known, serverInfo: { name: "old" } }, 1],
    ["another version", script, { ...known, serverInfo: { name: "old", version: "0.9" } }, 2],
    ["a program that is older than 2026-07-28 by two revisions", old, undefined, 1],
  ] as const;
  for (const [what, script, known, started] of cases) {
    const fake = new FakePeers(systemClock, script);
    const { protocols } = await discover(fake.transport(), OPTIONS, known);
    assertEquals([protocols.length, fake.peers.length, fake.open], [1, started, 0], what);
    // The second process is asked nothing that it would understand.
    if (started === 2) assertEquals(fake.last.methods, ["server/discover"], what);
  }
});

Deno.test("discover() gives a process the whole time to start, and asks it nothing else meanwhile", async () => {
  const fake = new FakePeers(systemClock, () => undefined);
  const stdioStart = { ms: 50, setting: "STDIO_START_TIMEOUT" };
  const options = { ...OPTIONS, timeoutMs: 10, stdioStart };
  const error = await assertRejects(() => discover(fake.transport(), options), SluiceError);
  assertEquals([error.code, error.params.timeoutMs, error.params.setting], [
    "UPSTREAM_TIMEOUT",
    50,
    "STDIO_START_TIMEOUT",
  ]);
  assertEquals(fake.peers.map(({ methods }) => methods), [["initialize"]]);
});

Deno.test("Upstream.request() speaks to a server of both kinds in the client's kind of revisions", async () => {
  const { fake, upstream } = setUp(null, dualScript, {}, { revisions: { sessions: true, stateless: true } });
  const bound = new BoundSessions();
  const ask = async (revision: AnyRevision) =>
    await upstream.request(
      "tools/call",
      '{"name":"t"}',
      call({ bound: revision === STATELESS_REVISION ? null : bound, revision }),
    );
  for (const revision of ["2025-11-25", STATELESS_REVISION, "2025-11-25", STATELESS_REVISION] as const) {
    await ask(revision);
  }
  assertEquals(fake.peers.map(({ methods }) => methods), [
    ["initialize", "notifications/initialized", "tools/call", "tools/call"],
    METHODS_OF_TWO_CALLS,
  ]);
  upstream.retire();
  await bound.end();
});

Deno.test("discover() says why nothing can be started, and starts nothing twice", async () => {
  const fake = new FakePeers(systemClock);
  let tries = 0;
  const error = new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: "up", reason: "there is no program" });
  const open = () => {
    tries++;
    return Promise.reject(error);
  };
  assertEquals(await assertRejects(() => discover(fake.transport({ open }), OPTIONS)), error);
  assertEquals(tries, 1);
});

Deno.test("Upstream.request() has a process for each session and each caller of a stateless upstream", async () => {
  const { fake, upstream, ask } = setUp(STATELESS_REVISION, statelessScript);
  const bound = [1, 2].map(() => new BoundSessions(new ClientState({ capabilities: '{"roots":{}}' })));
  const asBob = () =>
    upstream.request(
      "tools/call",
      '{"name":"t"}',
      call({ token: { issuer: "i", subject: "bob", reach: "", user: "u@x.example" } }),
    );
  await Promise.all([ask(), ask(), asBob(), asBob(), ...bound.flatMap((one) => [ask(one), ask(one)])]);
  assertEquals(fake.peers.map(({ methods }) => methods), [1, 2, 3, 4].map(() => METHODS_OF_TWO_CALLS));
  const declared = fake.peers.map(({ heard }) => heard[1]!.params._meta[META.clientCapabilities]);
  assertEquals(declared, [{}, {}, { roots: {} }, { roots: {} }]);
  await bound[0]!.end();
  assertEquals(fake.peers.map(({ isOpen }) => isOpen), [true, true, false, true]);
  bound[1]!.review(() => "it was deleted");
  await settle();
  assertEquals(fake.peers.map(({ isOpen }) => isOpen), [true, true, false, false]);
  await assertRejects(() => ask(bound[0]), SluiceError);
  upstream.retire();
  await turned();
  assertEquals([fake.peers.length, fake.open], [4, 0]);
});

for (const isStateless of [false, true]) {
  const revision = isStateless ? STATELESS_REVISION : null;
  const greeting = isStateless ? "server/discover" : "initialize";

  Deno.test(`A process that starts while its upstream is drained serves the calls that wait for ${greeting}, and ends`, async () => {
    for (const awaited of ["by two calls", "by none any more"]) {
      let isReady = false;
      const sound = isStateless ? statelessScript : sessionScript(undefined);
      const script: Script = (said, peer) =>
        isReady || said.method !== greeting ? sound(said, peer) : undefined;
      const { fake, upstream, ask } = setUp(revision, script);
      const bound = new BoundSessions();
      const signal = new Cancellation();
      const waiting = [1, 2].map(() =>
        upstream.request("tools/call", '{"name":"t"}', call({ bound, signal })).then(
          ({ failed }) => failed,
          ({ code }) => code,
        )
      );
      await turned();
      upstream.retire();
      bound.review(() => "it is being drained");
      await turned();
      if (awaited === "by none any more") signal.cancel(new SluiceError("REQUEST_CANCELLED"));
      await turned();
      isReady = true;
      fake.last.says({ id: 0, ...sound({ id: 0, method: greeting }, fake.last) as object });
      const outcome = awaited === "by two calls" ? false : "REQUEST_CANCELLED";
      assertEquals(await Promise.all(waiting), [outcome, outcome], awaited);
      await turned();
      assertEquals([fake.peers.length, fake.open], [1, 0], awaited);
      // One of these calls may need a process again, for example because the first one has died.
      assertEquals(await ask(bound), "tools/call");
      await turned();
      assertEquals([fake.peers.length, fake.open], [2, 0], awaited);
      await bound.end();
    }
  });
}

Deno.test("Upstream.request() has one process for everybody where the operator has said so", async () => {
  const { fake, ask } = setUp(STATELESS_REVISION, statelessScript, {}, { isolation: "shared" });
  const bound = new BoundSessions();
  await Promise.all([ask(), ask(bound)]);
  await bound.end();
  assertEquals(fake.peers.map(({ methods, isOpen }) => [methods, isOpen]), [[METHODS_OF_TWO_CALLS, true]]);
});

Deno.test("Upstream.request() speaks to an upstream in an older revision as its row says, without a probe", async () => {
  for (const script of [dualScript, sessionScript("exit")]) {
    const { fake, ask } = setUp(null, script);
    for (let i = 0; i < 2; i++) assertEquals(await ask(), "tools/call");
    assertEquals(
      fake.peers.map(({ methods }) => methods),
      [["initialize", "notifications/initialized", "tools/call", "tools/call"]],
    );
  }
});

Deno.test("Upstream.request() finds out that a stateless upstream speaks an older revision again, whatever it does to the greeting", async () => {
  for (const onProbe of [REFUSED, "exit" as const, undefined]) {
    const refused: string[] = [];
    const onRevisionRefused = (id: string) => void refused.push(id);
    const { fake, ask } = setUp(STATELESS_REVISION, sessionScript(onProbe), { onRevisionRefused });
    const bound = new BoundSessions();
    for (let i = 0; i < 3; i++) assertEquals(await ask(bound), "tools/call");
    assertEquals(refused, ["u"], "it is asked again what it speaks");
    // No call is sent before the greeting is answered, and the greeting is sent once.
    assertEquals(fake.peers.length, 2);
    assertEquals(fake.peers[0]!.methods.includes("tools/call"), false);
    assertEquals(fake.peers[1]!.methods.filter((method) => method === "tools/call").length, 3);
    await bound.end();
    assertEquals(fake.open, 0);
  }
});

Deno.test("Upstream.request() finds out that an upstream no longer knows initialize, and needs no handshake from then on", async () => {
  const paths = [
    { bound: () => null, pooled: false },
    { bound: () => null, pooled: true },
    { bound: () => new BoundSessions(), pooled: false },
  ];
  for (const { bound, pooled } of paths) {
    const refused: string[] = [];
    const onRevisionRefused = (id: string) => void refused.push(id);
    const { fake, upstream, ask } = setUp(null, statelessScript, { poolEnabled: pooled, onRevisionRefused });
    const session = bound();
    for (let i = 0; i < 3; i++) assertEquals(await ask(session), "tools/call");
    await settle();
    assertEquals(
      fake.peers.flatMap(({ methods }) => methods).filter((method) => method === "initialize").length,
      1,
    );
    assertEquals(refused, ["u"], "it is asked again what it speaks");
    await waitFor(() => fake.open === 1, { what: "nothing to be left but one process" });
    upstream.retire();
    await session?.end();
    await turned();
    assertEquals(fake.open, 0);
  }
});

Deno.test("Upstream.request() leaves a stateless upstream alone whose process dies at once, again and again", async () => {
  const { fake, upstream, ask } = setUp(STATELESS_REVISION, () => "exit");
  const codes: string[] = [];
  for (let i = 0; i < 20; i++) codes.push((await assertRejects(() => ask(), SluiceError)).code);
  assertEquals([codes[0], codes.at(-1), upstream.isDown], [
    "UPSTREAM_CONNECT_FAILED",
    "UPSTREAM_CIRCUIT_OPEN",
    true,
  ]);
  const started = fake.peers.length;
  await assertRejects(() => ask(), SluiceError);
  assertEquals([fake.peers.length, fake.open], [started, 0]);
});

Deno.test("Upstream.watchLists() subscribes again when the process of a stateless upstream has ended", async () => {
  const fake = new FakePeers(systemClock);
  const capabilities = { tools: { listChanged: true } };
  const upstream = new Upstream(
    upstreamProfile({ statelessRevision: STATELESS_REVISION, capabilities }),
    fake.transport(),
    upstreamDeps(),
  );
  const stop = new AbortController();
  const heard: string[] = [];
  const { opened, ended } = upstream.watchLists((method) => heard.push(method), stop.signal);
  for (const process of [1, 2]) {
    const listening = () =>
      fake.peers[process - 1]?.heard.find(({ method }) => method === "subscriptions/listen");
    const { id, params } = (await waitFor(listening, { what: `a subscription at process ${process}` }))!;
    assertEquals(params.notifications.toolsListChanged, true);
    const said = (method: string) =>
      fake.last.says({ method, params: { _meta: { [META.subscriptionId]: id } } });
    said("notifications/subscriptions/acknowledged");
    said("notifications/tools/list_changed");
    await opened;
    fake.last.exit();
  }
  assertEquals(heard, Array(2).fill("notifications/tools/list_changed"));
  stop.abort();
  await ended;
});

Deno.test("A process of 2026-07-28 that is called tells of changes of its lists, and is not kept for that", async () => {
  const changed: string[] = [];
  const capabilities = { tools: { listChanged: true }, prompts: {} };
  const clock = new FakeClock();
  const fake = new FakePeers(
    clock,
    (said, peer) =>
      said.method === "server/discover"
        ? { result: { ...DISCOVERED, capabilities } }
        : statelessScript(said, peer),
  );
  const upstream = new Upstream(
    upstreamProfile({ statelessRevision: STATELESS_REVISION }),
    fake.transport({ sharedIdleMs: 1_000 }),
    upstreamDeps({ onListChanged: (_id, method) => changed.push(method) }),
  );
  await upstream.request("tools/call", '{"name":"t"}', call());
  const { id, params } = fake.last.heard.find(({ method }) => method === "subscriptions/listen")!;
  assertEquals(params.notifications, {
    toolsListChanged: true,
    promptsListChanged: false,
    resourcesListChanged: false,
  });
  for (const method of ["subscriptions/acknowledged", "tools/list_changed"]) {
    fake.last.says({ method: `notifications/${method}`, params: { _meta: { [META.subscriptionId]: id } } });
  }
  assertEquals([changed, fake.strays], [["notifications/tools/list_changed"], []]);
  await clock.tick(2_100);
  assertEquals(fake.open, 0);
});

Deno.test("probeUpstream() leaves no process or socket behind, of either kind", async () => {
  const cases = [[statelessScript, STATELESS_REVISION], [sessionScript(REFUSED), STATELESS_REVISION], [
    dualScript,
    null,
  ]] as const;
  for (const [script, protocolVersion] of cases) {
    const fake = new FakePeers(systemClock, script);
    const row = { stateful: protocolVersion === null, protocolVersion };
    await probeUpstream(fake.transport(), row, { ...OPTIONS, signal: new AbortController().signal });
    await settle();
    assertEquals(fake.open, 0);
  }
});

Deno.test("A process gets a sessionless client's answers itself, whatever else the client asks of which worker", async () => {
  const params = `{"name":"t","_meta":{"${META.protocolVersion}":"${STATELESS_REVISION}"}}`;
  const asks: Script = (said, peer) => {
    if (said.method !== "tools/call") return statelessScript(said, peer);
    if (said.params.inputResponses !== undefined) {
      return { result: { resultType: "complete", got: said.params } };
    }
    const inputRequests = { who: { method: "elicitation/create", params: { message: "Who?" } } };
    return { result: { resultType: "input_required", inputRequests, requestState: "mine" } };
  };
  const asked: unknown[] = [];
  const client = {
    notify: () => {},
    request: (method: string, text?: string) => {
      asked.push([method, JSON.parse(text!).message]);
      return Promise.resolve({ text: '{"action":"accept"}', failed: false });
    },
  };
  const ask = async (kind: "stdio" | "websocket", more: Partial<UpstreamCall>) => {
    const fake = new FakePeers(systemClock, asks);
    const profile = upstreamProfile({ statelessRevision: STATELESS_REVISION });
    const upstream = new Upstream(profile, fake.transport({ kind }), upstreamDeps());
    const clientCapabilities = '{"elicitation":{}}';
    const sessionless = call({ revision: STATELESS_REVISION, clientCapabilities, ...more });
    const { text } = await upstream.request("tools/call", params, sessionless);
    return { fake, answer: JSON.parse(text) };
  };

  const { fake, answer } = await ask("stdio", { client });
  assertEquals(asked, [["elicitation/create", "Who?"]]);
  assertEquals([answer.got.inputResponses, answer.got.requestState], [{ who: { action: "accept" } }, "mine"]);
  assertEquals([fake.peers.length, answer.got._meta], [1, { [META.protocolVersion]: STATELESS_REVISION }]);

  // One server is behind all sockets, so a client that cannot be asked now repeats its call with the answer.
  for (const [kind, more] of [["websocket", { client }], ["stdio", {}]] as const) {
    assertEquals((await ask(kind, more)).answer.requestState, "mine");
  }
  assertEquals(asked.length, 1);
});

Deno.test("A socket is opened with the headers that a caller passes, and not with those of its arguments", async () => {
  const fake = new FakePeers(systemClock);
  const profile = upstreamProfile({ statelessRevision: STATELESS_REVISION });
  const upstream = new Upstream(profile, fake.transport({ kind: "websocket" }), upstreamDeps());
  for (const [own, region] of [["a", "x"], ["a", "y"], ["b", "x"]] as const) {
    const received = new Headers({ "x-upstream-authorization": own });
    const paramHeaders = [["mcp-param-region", region]] as const;
    await upstream.request("tools/call", '{"name":"t"}', call({ received, paramHeaders }));
  }
  assertEquals(fake.peers.map(({ passed }) => passed), [[["authorization", "a"]], [["authorization", "b"]]]);
});

Deno.test("A process is not offered a sessionless client for its tasks, and hears all else that the client claims", async () => {
  const { fake, upstream } = setUp(STATELESS_REVISION, statelessScript);
  const clientCapabilities = `{"extensions":{"a/b":{},"${TASKS_EXTENSION}":{}}}`;
  const claims = {
    [META.protocolVersion]: STATELESS_REVISION,
    [META.clientCapabilities]: JSON.parse(clientCapabilities),
    [META.clientInfo]: { name: "theirs", version: "7" },
    [META.logLevel]: "error",
    progressToken: 7,
  };
  const sessionless = call({ revision: STATELESS_REVISION, clientCapabilities });
  await upstream.request("tools/call", JSON.stringify({ name: "t", _meta: claims }), sessionless);
  const { progressToken: _, ...heard } = fake.last.heard.at(-1)!.params._meta;
  const { progressToken: __, ...expected } = claims;
  assertEquals(heard, { ...expected, [META.clientCapabilities]: { extensions: { "a/b": {} } } });
});

Deno.test("No process only listens for changes of lists; what one announces as it starts tells nothing new", async () => {
  const changes: string[] = [];
  const script: Script = (said, peer) => {
    if (said.method === "notifications/initialized" || said.method === "tools/call") {
      peer.says({ method: "notifications/tools/list_changed" });
    }
    return sessionScript(undefined)(said, peer);
  };
  const time = FakeTimers.install({ toFake: ["Date"], now: Date.now() });
  const { upstream, ask } = setUp(null, script, { onListChanged: (_id, method) => changes.push(method) }, {
    capabilities: { tools: { listChanged: true } },
  });
  assertEquals(upstream.promisesListChanges, false);
  const bound = new BoundSessions();
  await ask(bound);
  assertEquals(changes, []);
  time.setSystemTime(Date.now() + 2_000);
  await ask(bound);
  assertEquals(changes, ["notifications/tools/list_changed"]);
  time.uninstall();
  await bound.end();
});
