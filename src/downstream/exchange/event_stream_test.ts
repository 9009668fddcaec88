import { assertEquals, assertRejects } from "@std/assert";
import { ClientMemory } from "../../base/sharing/client_memory.ts";
import { EventStream } from "./event_stream.ts";

const memory = () => new ClientMemory(Infinity).hold({ issuer: null, subject: "ann" });

Deno.test("EventStream.send() writes events in order until close()", async () => {
  const stream = new EventStream(memory());
  stream.send('{"n":1}');
  stream.keepalive();
  stream.send('{\n"n":2}');
  stream.close();
  stream.send('{"lost":1}');
  assertEquals(
    await new Response(stream.readable).text(),
    'event: message\ndata: {"n":1}\n\n: keepalive\n\nevent: message\ndata: {\ndata: "n":2}\n\n',
  );
});

Deno.test("EventStream ends once, whichever side ends it", async () => {
  let ends = 0;
  const count = () => void ends++;
  const closed = new EventStream(memory(), count);
  closed.close();
  closed.close();
  assertEquals([ends, closed.isOpen], [1, false]);
  const cancelled = new EventStream(memory(), count);
  await cancelled.readable.cancel();
  cancelled.send("{}");
  cancelled.close();
  assertEquals([ends, cancelled.isOpen], [2, false]);
});

Deno.test("EventStream cuts off a client that leaves too much unread", async () => {
  let ends = 0;
  const stream = new EventStream(memory(), () => void ends++);
  const message = `"${"x".repeat(1_000_000)}"`;
  for (let i = 0; i < 4; i++) stream.send(message);
  assertEquals(stream.isOpen, true);
  stream.send(message);
  assertEquals([ends, stream.isOpen], [1, false]);
  await assertRejects(() => new Response(stream.readable).text());
});

Deno.test("EventStream takes one message of any length", async () => {
  const stream = new EventStream(memory());
  stream.send(`"${"x".repeat(6_000_000)}"`);
  stream.close();
  assertEquals((await new Response(stream.readable).text()).length > 6_000_000, true);
});

Deno.test("EventStream counts what is unread as the caller's memory, and cuts off a client beyond its share", async () => {
  const all = new ClientMemory(1_000_000);
  const owner = { issuer: null, subject: "ann" };
  const [stream, other] = [new EventStream(all.hold(owner)), new EventStream(all.hold(owner))];
  const message = `"${"x".repeat(200_000)}"`;
  stream.send(message);
  stream.send(message);
  assertEquals(all.chars > 400_000, true);
  other.send(message);
  assertEquals([stream.isOpen, other.isOpen], [true, false]);
  stream.close();
  await new Response(stream.readable).text();
  assertEquals(all.chars, 0);
});
