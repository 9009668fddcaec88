import { RunningCall } from "../client/running_calls.ts";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FakeUpstream } from "../../../tests/support/fake_upstream.ts";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { ownListsDeps } from "../../../tests/support/own_lists.ts";
import { principal, settle } from "../../../tests/support/fakes.ts";
import type { Principal } from "../../auth/principal.ts";
import { SluiceError } from "../../base/errors.ts";
import { MemoryCache } from "../../cache/memory_cache.ts";
import { catalogRows, serverRow } from "../../../tests/support/catalog_rows.ts";
import { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { BoundSessions } from "../../upstream/bound/bound_sessions.ts";
import { UpstreamSession } from "../../upstream/session/upstream_session.ts";
import { TokenExpiry } from "../exchange/token_expiry.ts";
import { DownstreamSessions } from "./downstream_sessions.ts";
import { CallerTurns } from "../../base/sharing/caller_turns.ts";
import { ClientMemory } from "../../base/sharing/client_memory.ts";
import { TaskIds } from "../../proxy/tasks/task_ids.ts";
import { SessionIds } from "./session_id.ts";

const IDLE_MS = 60_000;
const STATE = { revision: "2025-06-18", clientInfo: { name: "c" }, clientCapabilities: "{}" } as const;

function setUp() {
  const clock = new FakeClock();
  const records = new MemoryCache(clock);
  const ids = new SessionIds("secret");
  const worker = () =>
    new DownstreamSessions({
      ids,
      records,
      clock,
      place: { replica: { now: 0 }, worker: 1 },
      idleMs: IDLE_MS,
      clientRequestTimeoutMs: 60_000,
      resumeWindowMs: 30_000,
      limits: { perCaller: 1_000, perWorker: 1_000 },
      taskIds: new TaskIds("secret"),
      expiry: new TokenExpiry(clock),
      memory: new ClientMemory(Infinity),
      callers: { owning: () => undefined },
      lists: ownListsDeps(),
      turns: new CallerTurns(5),
    });
  const find = (
    sessions: DownstreamSessions,
    id: string,
    who: Principal = principal(),
    serverId: string | null = null,
  ) => sessions.find(id, ids.open(id, clock.now())!, who, serverId);
  const lost = async (
    sessions: DownstreamSessions,
    id: string,
    who?: Principal,
    serverId?: string | null,
  ) => {
    const error = await assertRejects(() => find(sessions, id, who, serverId), SluiceError);
    return error.code;
  };
  return { clock, records, ids, worker, sessions: worker(), find, lost };
}

Deno.test("DownstreamSessions.find() gives the session that open() made, to its owner", async () => {
  const { sessions, find, ids, clock } = setUp();
  const session = await sessions.open(principal(), null, STATE);
  assertEquals(await find(sessions, session.id), session);
  assertEquals([session.revision, sessions.size, ids.open(session.id, clock.now())!.worker], [
    "2025-06-18",
    1,
    1,
  ]);
});

Deno.test("DownstreamSessions.find() gives nobody else's session, at no other address", async () => {
  const { sessions, lost, worker } = setUp();
  const { id } = await sessions.open(principal(), "s1", STATE);
  const afterRestart = worker();
  for (const owner of [sessions, afterRestart]) {
    assertEquals(await lost(owner, id, principal({ subject: "bob" }), "s1"), "SESSION_NOT_FOUND");
    assertEquals(await lost(owner, id, principal({ issuer: "other" }), "s1"), "SESSION_NOT_FOUND");
    assertEquals(await lost(owner, id, principal(), "s2"), "SESSION_NOT_FOUND");
    assertEquals(await lost(owner, id, principal(), null), "SESSION_NOT_FOUND");
  }
  assertEquals(afterRestart.size, 0, "a stranger brings nothing back to life");
});

Deno.test("DownstreamSessions.find() takes over the session of a worker that died, from its record", async () => {
  const { sessions, find, worker } = setUp();
  const { id } = await sessions.open(principal(), "s1", STATE);
  const successor = worker();
  const [one, other] = await Promise.all([1, 2].map(() => find(successor, id, principal(), "s1")));
  assertEquals(one, other);
  const wishes = { logLevel: null, subscriptions: {} };
  assertEquals([one!.id, one!.serverId, one!.state], [id, "s1", { ...STATE, wishes }]);
  assertEquals(successor.size, 1);
});

Deno.test("DownstreamSessions.find() restores nothing without a record, or from one that has expired", async () => {
  const { sessions, records, lost, worker, clock } = setUp();
  const { id, name } = await sessions.open(principal(), null, STATE);
  const [{ key, value }] = await records.list("");
  assertEquals([key, JSON.parse(value)], [`session:${name}`, STATE]);
  await records.put(key, value, 1);
  await clock.tick(1);
  assertEquals(await lost(worker(), id), "SESSION_NOT_FOUND");
  await records.delete(key);
  assertEquals(await lost(worker(), id), "SESSION_NOT_FOUND");
});

Deno.test("DownstreamSessions.persist() writes the records again, for the time that their sessions have left", async () => {
  const { sessions, records, worker, find, clock } = setUp();
  const { id } = await sessions.open(principal(), null, STATE);
  const [{ key }] = await records.list("");
  await records.delete(key);
  await clock.tick(60 * 60 * 1000);
  await sessions.persist();
  assertEquals((await find(worker(), id)).state.clientInfo, STATE.clientInfo);
  await clock.tick(23 * 60 * 60 * 1000 - 1000);
  assertEquals((await records.list("")).length, 1);
  await clock.tick(1000);
  assertEquals(await records.list(""), []);
  await sessions.persist();
  assertEquals(await records.list(""), []);
});

Deno.test("DownstreamSessions.end() ends the session for every worker, streams, calls and upstream sessions with it", async () => {
  const { sessions, lost, worker, records } = setUp();
  const session = await sessions.open(principal(), null, STATE);
  const stream = session.listen(null, principal());
  const call = new RunningCall(1);
  session.calls.enter(call);
  const upstream = new FakeUpstream();
  const open = { clientInfo: { name: "x", version: "1" }, timeoutMs: 1, timeoutSetting: "X" };
  const target = { upstreamId: "u", isRetired: () => false };
  await session.bound.get("u", target, () => UpstreamSession.open(upstream.transport(), open));
  await sessions.end(session);
  assertEquals([stream.isOpen, call.aborted, upstream.methods.at(-1)], [false, true, "DELETE"]);
  assertEquals([sessions.size, await records.list("")], [0, []]);
  for (const owner of [sessions, worker()]) assertEquals(await lost(owner, session.id), "SESSION_NOT_FOUND");
});

Deno.test("DownstreamSessions.review() ends the sessions whose endpoint is gone, after their calls are answered", async () => {
  const { sessions, lost, find, clock, records } = setUp();
  const at = (serverId: string | null) => sessions.open(principal(), serverId, STATE);
  const [everything, open, hidden, off] = [
    await at(null),
    await at("open"),
    await at("hidden"),
    await at("off"),
  ];
  const streams = [everything, open, hidden, off].map((session) => session.listen(null, principal()));
  const catalog = new Catalog(catalogRows({
    servers: [
      serverRow("open"),
      serverRow("hidden", { visibility: "private" }),
      serverRow("off", { enabled: false }),
    ],
  }));
  const reviewed: BoundSessions[] = [];
  sessions.review(catalog, { review: (bound) => void reviewed.push(bound) });
  assertEquals(reviewed.length, 4);
  assertEquals(streams.map(({ isOpen }) => isOpen), [true, true, true, true]);
  await clock.tick(0);
  assertEquals(streams.map(({ isOpen }) => isOpen), [true, true, false, false]);
  assertEquals([sessions.size, (await records.list("")).length], [2, 2]);
  assertEquals(await lost(sessions, off.id, principal(), "off"), "SESSION_NOT_FOUND");
  assertEquals(await find(sessions, open.id, principal(), "open"), open);
});

Deno.test("DownstreamSessions.review() ends a session whose record cannot be deleted", async () => {
  const { sessions, clock, records } = setUp();
  const session = await sessions.open(principal(), "gone", STATE);
  records.delete = () => Promise.reject(new Error("no cache"));
  const catalog = new Catalog(catalogRows());
  const stream = session.listen(null, principal());
  sessions.review(catalog, { review: () => {} });
  await clock.tick(0);
  await settle();
  assertEquals([stream.isOpen, sessions.size], [false, 0]);
});

Deno.test("DownstreamSessions.end() leaves no gap in which a request brings the session back", async () => {
  const { sessions, find, lost } = setUp();
  const session = await sessions.open(principal(), null, STATE);
  const ended = sessions.end(session);
  const meanwhile = Promise.allSettled(Array.from({ length: 5 }, async (_, i) => {
    await settle(i);
    return await find(sessions, session.id);
  }));
  await Promise.all([ended, meanwhile]);
  assertEquals([sessions.size, await lost(sessions, session.id)], [0, "SESSION_NOT_FOUND"]);
});

Deno.test("DownstreamSessions.end() is not undone by what the session keeps meanwhile", async () => {
  const { sessions, records, lost, worker } = setUp();
  const session = await sessions.open(principal(), null, STATE);
  const { workerLocal } = session.bound.client;
  const remove = records.delete.bind(records);
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  records.delete = async (key) => {
    const isRemoved = await remove(key);
    await answered;
    return isRemoved;
  };
  const ended = sessions.end(session);
  await workerLocal.add("u1");
  answer();
  await ended;
  await workerLocal.add("u2");
  assertEquals([await records.list(""), await lost(worker(), session.id)], [[], "SESSION_NOT_FOUND"]);
});

Deno.test("DownstreamSession.state names the upstreams whose processes end with the worker, until the client has heard of it", async () => {
  const { sessions, find, worker } = setUp();
  const { id, bound } = await sessions.open(principal(), null, STATE);
  await bound.client.workerLocal.add("u1");
  const restored = await find(worker(), id);
  assertEquals(restored.state.attachedTo, ["u1"]);
  assertEquals(restored.bound.client.workerLocal.takeLoss("u1"), true);
  await settle();
  assertEquals("attachedTo" in restored.state, false);
  assertEquals("attachedTo" in (await find(worker(), id)).state, false);

  // Handed over, what is kept here ends as well.
  await restored.bound.client.workerLocal.add("u2");
  const { name, owner, principal: last, state } = restored;
  const adopted = worker().adopt({ id, name, owner, principal: last, state });
  assertEquals(adopted.bound.client.workerLocal.takeLoss("u2"), true);
});

Deno.test("DownstreamSessions.sweep() ends what has been idle for longer than the limit, nothing else", async () => {
  const { sessions, find, lost, clock } = setUp();
  const [idle, used] = [
    await sessions.open(principal(), null, STATE),
    await sessions.open(principal(), null, STATE),
  ];
  await clock.tick(IDLE_MS);
  await sessions.sweep();
  assertEquals(sessions.size, 2);
  await find(sessions, used.id);
  await clock.tick(1);
  await sessions.sweep();
  assertEquals([...sessions], [used]);
  assertEquals(await lost(sessions, idle.id), "SESSION_NOT_FOUND");
});

Deno.test("DownstreamSessions.sweep() leaves busy sessions, and counts their idle time from when it last saw them busy", async () => {
  const { sessions, clock } = setUp();
  const listening = await sessions.open(principal(), null, STATE);
  const calling = await sessions.open(principal(), null, STATE);
  const stream = listening.listen(null, principal());
  const call = new RunningCall(1);
  calling.calls.enter(call);
  await clock.tick(10 * IDLE_MS);
  await sessions.sweep();
  assertEquals(sessions.size, 2);
  stream.close();
  calling.calls.leave(call);
  await clock.tick(IDLE_MS);
  await sessions.sweep();
  assertEquals(sessions.size, 2, "a client that lost its connection may come back");
  await clock.tick(1);
  await sessions.sweep();
  assertEquals(sessions.size, 0);
});

Deno.test("DownstreamSessions refuses every session a day after it was opened", async () => {
  const { sessions, ids, clock } = setUp();
  const { id } = await sessions.open(principal(), null, STATE);
  await clock.tick(24 * 3_600_000 - 1_000);
  assertEquals(ids.open(id, clock.now()) !== null, true);
  await clock.tick(1_000);
  assertEquals(ids.open(id, clock.now()), null);
});

Deno.test("DownstreamSessions.close() ends what hangs on the sessions and leaves their records to the successor", async () => {
  const { sessions, find, worker } = setUp();
  const session = await sessions.open(principal(), null, STATE);
  const { id, bound } = session;
  const stream = session.listen(null, principal());
  await sessions.close();
  const target = { upstreamId: "u", isRetired: () => false };
  await assertRejects(() => bound.get("u", target, () => Promise.reject(new Error("opened"))), SluiceError);
  assertEquals([sessions.size, stream.isOpen], [0, false]);
  assertEquals((await find(worker(), id)).id, id);
});

Deno.test("DownstreamSession.notify() sends on the newest stream alone", async () => {
  const { sessions } = setUp();
  const session = await sessions.open(principal(), null, STATE);
  session.notify('{"early":1}');
  const [old, fresh] = [session.listen(null, principal()), session.listen(null, principal())];
  session.notify('{"n":1}');
  assertEquals(sessions.streamCount, 2);
  sessions.endStreams();
  assertEquals(
    await new Response(old.readable).text(),
    `id: ${session.log.eventId(0, 1)}\nevent: message\ndata: {"early":1}\n\n`,
    "what came before there was a stream",
  );
  const said = `id: ${session.log.eventId(0, 2)}\nevent: message\ndata: {"n":1}\n\n`;
  assertEquals(await new Response(fresh.readable).text(), said);
});

Deno.test("GET streams end with a pause that fits: the successor is there, or the gateway restarts", async () => {
  const cases = [
    ["2025-11-25", "release", "retry: 1000\n\n"],
    ["2025-11-25", "endStreams", "retry: 6000\n\n"],
    // Clients of older revisions fail on an event without a message.
    ["2025-06-18", "release", ""],
    ["2025-06-18", "endStreams", ""],
  ] as const;
  for (const [revision, end, said] of cases) {
    const { sessions } = setUp();
    const session = await sessions.open(principal(), null, { ...STATE, revision });
    const stream = session.listen(null, principal());
    sessions[end]();
    assertEquals(await new Response(stream.readable).text(), said, `${revision} ${end}`);
  }
});

Deno.test("A session that has listened is known to, by whichever worker has it then", async () => {
  const { sessions, find, worker } = setUp();
  const [listener, other] = [
    await sessions.open(principal(), null, STATE),
    await sessions.open(principal(), null, STATE),
  ];
  await listener.bound.client.beginListening();
  const successor = worker();
  const adopted = sessions.release().map((session) => successor.adopt(session));
  assertEquals(adopted.map(({ isListening, isCarried }) => [isListening, isCarried]), [
    [true, false],
    [false, false],
  ]);
  const elsewhere = worker();
  const found = [await find(elsewhere, listener.id), await find(elsewhere, other.id)];
  assertEquals(found.map(({ isListening }) => isListening), [true, false]);
  // Its upstream sessions there listen when its stream is there.
  assertEquals(found.map(({ bound }) => bound.client.listening), [false, false]);
});

Deno.test("DownstreamSession.listen() takes an event id of the worker before for what it is: not of this one's streams", async () => {
  const { sessions, find, worker } = setUp();
  const before = await sessions.open(principal(), null, STATE);
  before.listen(null, principal());
  for (const message of ["1", "2", "3"]) before.notify(message);
  const after = await find(worker(), before.id);
  after.notify("4");
  after.log.open().send("of another call");
  const stream = after.listen(before.log.eventId(0, 3), principal());
  stream.close();
  const text = await new Response(stream.readable).text();
  assertEquals([...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data), ["4"]);
  assertThrows(() => after.listen(before.log.eventId(1, 0), principal()), SluiceError, "Last-Event-ID");
});

Deno.test("DownstreamSession.listen() ends a stream when the token expires that opened it, and no other", async () => {
  const { sessions, clock } = setUp();
  const session = await sessions.open(principal(), null, STATE);
  const expiring = (ms: number) => session.listen(null, principal({ expiresAt: clock.now() + ms }));
  const [early, late, closed, eternal] = [
    expiring(1_000),
    expiring(60_000),
    expiring(500),
    expiring(Infinity),
  ];
  closed.close();
  await clock.tick(999);
  assertEquals([early, late, eternal].map(({ isOpen }) => isOpen), [true, true, true]);
  await clock.tick(1);
  assertEquals([early, late, eternal].map(({ isOpen }) => isOpen), [false, true, true]);
  assertEquals(expiring(-1).isOpen, true, "the request was let in, and its stream ends at once");
  await clock.tick(0);
  assertEquals(sessions.streamCount, 2);
});
