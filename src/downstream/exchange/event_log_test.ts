import { assertEquals } from "@std/assert";
import { ClientMemory } from "../../base/sharing/client_memory.ts";
import { EventLog, type LoggedStream } from "./event_log.ts";
import { EventStream } from "./event_stream.ts";

const OWNER = { issuer: null, subject: "ann" };

const memory = () => new ClientMemory(Infinity).hold(OWNER);

/** A connection that carries the stream; read once it is closed. */
function carry(stream: LoggedStream, afterSeq: number | null = null): EventStream {
  const carrier = new EventStream(memory(), () => stream.drop(carrier));
  stream.carryOn(carrier, afterSeq);
  return carrier;
}

async function read(carrier: EventStream): Promise<string[]> {
  carrier.close();
  const text = await new Response(carrier.readable).text();
  return [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => data);
}

Deno.test("LoggedStream.send() keeps what nobody carries for the next connection, once", async () => {
  const stream = new EventLog(new ClientMemory(Infinity), OWNER).open();
  stream.send("1");
  const first = carry(stream);
  stream.send("2");
  assertEquals(await read(first), ["1", "2"]);
  stream.send("3");
  assertEquals(await read(carry(stream)), ["3"]);
  assertEquals(await read(carry(stream)), []);
});

Deno.test("LoggedStream.carryOn() begins behind the event that the client has", async () => {
  const stream = new EventLog(new ClientMemory(Infinity), OWNER).open();
  const lost = carry(stream);
  for (const message of ["1", "2", "3"]) stream.send(message);
  await read(lost);
  assertEquals(await read(carry(stream, 1)), ["2", "3"]);
  stream.end();
  assertEquals(await read(carry(stream, 0)), ["1", "2", "3"], "after its end, too");
});

Deno.test("LoggedStream.letPoll() keeps what the client polls for, of any size and before other events, until the client has it", async () => {
  const memory = new ClientMemory(Infinity);
  const log = new EventLog(memory, OWNER);
  const [stream, other] = [log.open(), log.open()];
  const first = carry(stream);
  stream.letPoll(20);
  assertEquals([await read(first), stream.awaitsPoll, log.awaitsPoll], [[], true, true]);
  const large = "x".repeat(2_000_000);
  stream.send(large);
  stream.end();
  for (let i = 0; i < 2_000; i++) other.send("small");
  assertEquals([await read(carry(stream)), log.awaitsPoll], [[large], false]);
  other.send("small");
  assertEquals(await read(carry(stream, 0)), [], "what the client has had gives way");
});

Deno.test("EventLog.find() knows its own streams by their event ids, until they are forgotten", () => {
  const log = new EventLog(new ClientMemory(Infinity), OWNER);
  const [, second] = [log.open(), log.open()];
  const id = log.eventId(1, 7);
  assertEquals(log.find(id), { stream: second, seq: 7 });
  const others = [log.eventId(2, 0), "1", "1-", "1-7", `-${id}`, `${id}0`, "", log.eventId(1e20, 1)];
  for (const other of others) assertEquals(log.find(other), null, other);
  log.forget(second);
  assertEquals(log.find(id), null);
});

Deno.test("EventLog.find() takes no event id of another log for its own, and begins the first stream anew for one", async () => {
  const [before, log] = [
    new EventLog(new ClientMemory(Infinity), OWNER),
    new EventLog(new ClientMemory(Infinity), OWNER),
  ];
  const [common] = [log.open(), log.open()];
  assertEquals(log.find(before.eventId(1, 0)), null);
  common!.send("1");
  const found = log.find(before.eventId(0, 5))!;
  assertEquals(found, { stream: common!, seq: null });
  assertEquals(await read(carry(found.stream, found.seq)), ["1"]);
});

Deno.test("EventLog keeps so much and no more, the newest of all streams", async () => {
  const log = new EventLog(new ClientMemory(Infinity), OWNER);
  const [old, fresh] = [log.open(), log.open()];
  for (let i = 0; i < 600; i++) old.send(`old ${i}`);
  for (let i = 0; i < 600; i++) fresh.send(`fresh ${i}`);
  assertEquals([old.kept.length, fresh.kept.length], [400, 600]);
  const big = "x".repeat(1024 * 1024);
  fresh.send(big);
  assertEquals(old.kept.length, 0);
  assertEquals(fresh.kept.length, 1);
  assertEquals(await read(carry(fresh)), [big]);
});

Deno.test("EventLog keeps events within its caller's share of the memory, and gives way to what cannot be dropped", async () => {
  const memory = new ClientMemory(1_000);
  const [older, log] = [new EventLog(memory, OWNER), new EventLog(memory, OWNER)];
  const [old, stream] = [older.open(), log.open()];
  const message = "x".repeat(100);
  for (let n = 0; n < 3; n++) old.send(message);
  for (let n = 0; n < 3; n++) stream.send(message);
  // The events of the older session went for the sixth.
  assertEquals([old.kept.length, stream.kept.length, memory.chars], [0, 3, 300]);
  assertEquals([memory.hold(OWNER).tryGrow(500), stream.kept.length], [true, 0]);
  const carrier = carry(stream);
  stream.send("sent, not kept");
  assertEquals([stream.kept.length, await read(carrier)], [0, ["sent, not kept"]]);
  log.close();
  older.close();
  assertEquals(memory.chars, 500);
});

Deno.test("EventLog.forgetOf() drops what upstreams have sent, waiting or not, and nothing of the gateway's", async () => {
  const kept = new ClientMemory(Infinity);
  const log = new EventLog(kept, OWNER);
  const [common, call] = [log.open(), log.open()];
  const lost = carry(common);
  common.send("sent", "a");
  await read(lost);
  for (const [text, upstreamId] of [["1", "a"], ["2", "b"], ["3", null]] as const) {
    common.send(text, upstreamId);
  }
  call.send("progress", "a");
  call.send("result");
  const before = kept.chars;
  log.forgetOf((upstreamId) => upstreamId === "a");
  assertEquals(before - kept.chars, "sent".length + "1".length + "progress".length);
  assertEquals([await read(carry(common, 0)), await read(carry(call))], [["2", "3"], ["result"]]);
});
