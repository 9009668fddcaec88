import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { Cancellation } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import { operatorText } from "../../base/seen_answer.ts";
import { requestText } from "../../mcp/json_rpc.ts";
import { FakeChannel } from "../../../tests/support/fake_channel.ts";
import { FakeClock, settled } from "../../../tests/support/fake_clock.ts";
import type { RequestOptions } from "../transport/transport.ts";
import { Deadline } from "../resilience/deadline.ts";
import { SessionDialect } from "./session_dialect.ts";

function setUp(options: ConstructorParameters<typeof FakeChannel>[1] = {}) {
  const clock = new FakeClock();
  const channel = new FakeChannel(clock, options);
  const { connection } = channel;
  const within = (ms = 30_000, more: Partial<RequestOptions> = {}) => ({
    deadline: new Deadline(ms, "A_SETTING", clock.now()),
    ...more,
  });
  const call = (id: number, params?: string, more: Partial<RequestOptions> = {}) =>
    connection.request(id, requestText(id, "tools/call", params), within(30_000, more));
  return { clock, channel, connection, within, call };
}

async function failure(work: Promise<unknown>) {
  const { code, params } = await assertRejects(() => work, SluiceError);
  return { code, params };
}

const progress = (token: unknown, text = "") => ({
  jsonrpc: "2.0",
  method: "notifications/progress",
  params: { progressToken: token, progress: 1, message: text },
});

const tokenIn = (sent: string) => JSON.parse(sent).params._meta.progressToken;

Deno.test("DuplexConnection gives every call its own answer, in whatever order they come", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 20 }),
      fc.infiniteStream(fc.nat()),
      async (ids, order) => {
        const { channel, call } = setUp();
        const answers = ids.map((id) => call(id));
        await settled();
        const left = [...ids];
        for (const turn of order) {
          if (left.length === 0) break;
          const [id] = left.splice(turn % left.length, 1);
          channel.answers(id!, { of: id });
        }
        for (const [i, answer] of (await Promise.all(answers)).entries()) {
          assertEquals(answer.value.result, { of: ids[i] });
          assertEquals(JSON.parse(answer.text), answer.value);
        }
        assertEquals(channel.strays, []);
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("DuplexConnection takes a batch message by message, each as it was written", async () => {
  const { channel, connection, call } = setUp();
  const answers = [call(1), call(2)];
  await settled();
  const first = '{"jsonrpc":"2.0","id":1, "result":{"n":1.0}}';
  connection.receive(`[ ${first}, 5, {"jsonrpc":"2.0","id":2,"result":{}} ]`);
  assertEquals((await Promise.all(answers)).map(({ text }) => text), [
    first,
    '{"jsonrpc":"2.0","id":2,"result":{}}',
  ]);
  assertEquals(channel.strays, ["not a JSON-RPC message"]);
});

Deno.test("DuplexConnection quotes in a time-out what has come in place of messages since the last one", async () => {
  const { clock, channel, connection, call } = setUp();
  connection.established();
  const seenIn = async (answer: Promise<unknown>) => {
    const error = assertRejects(() => answer, SluiceError);
    await clock.tick(30_000);
    return operatorText(await error).split("; ")[1];
  };
  const first = call(1);
  for (const text of ["debug: got 1", "more"]) channel.says(text);
  assertEquals(await seenIn(first), 'it sent something else than MCP messages: "debug: got 1"');
  const second = call(2);
  channel.says({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
  assertEquals(await seenIn(second), undefined);
  const third = call(3);
  for (const text of ["5", "6"]) channel.says(text);
  assertEquals(await seenIn(third), 'it sent something else than MCP messages: "5"');
});

Deno.test("DuplexConnection tells each of many callers with one progress token its own progress, token and all", async () => {
  const token = fc.oneof(fc.string(), fc.integer(), fc.constant("same"), fc.constant("1"));
  await fc.assert(
    fc.asyncProperty(fc.array(token, { minLength: 1, maxLength: 10 }), async (tokens) => {
      const { channel, call } = setUp();
      const heard: string[][] = tokens.map(() => []);
      const answers = tokens.map((own, i) => {
        const params = `{"name":"t","_meta":{"a":1.0,"progressToken":${JSON.stringify(own)}, "b": [2]}}`;
        return call(i + 1, params, { onMessage: (_value, text) => void heard[i]!.push(text) });
      });
      await settled();
      const sent = channel.sent.map(tokenIn);
      assertEquals(new Set(sent).size, tokens.length);
      for (const [i, ours] of sent.entries()) channel.says(progress(ours, `of ${i}`));
      for (const [i, texts] of heard.entries()) {
        assertEquals(texts.map((text) => JSON.parse(text)), [progress(tokens[i], `of ${i}`)]);
      }
      for (let i = 0; i < tokens.length; i++) channel.answers(i + 1);
      await Promise.all(answers);
      // Progress after the response, or with an unknown token, has no recipient.
      channel.says(progress(sent[0]));
      channel.says(progress(tokens[0]));
      channel.says(progress(1));
      assertEquals([channel.strays.length, channel.received], [3, []]);
    }),
    { numRuns: 50 },
  );
});

Deno.test("DuplexConnection changes no byte of a request but its progress token", async () => {
  const { channel, call } = setUp();
  const bodies: [params: string, sent: (token: string) => string][] = [
    ['{"x":1.0, "big":12345678901234567890}', () => '{"x":1.0, "big":12345678901234567890}'],
    [
      '{"_meta":{"progressToken" : 7 ,"z":1e2},"y": "\\u00e9"}',
      (t) => `{"_meta":{"progressToken" : "${t}" ,"z":1e2},"y": "\\u00e9"}`,
    ],
    ['{"_meta":{"progress\\u0054oken":"p"}}', (t) => `{"_meta":{"progress\\u0054oken":"${t}"}}`],
    // Outside `_meta`, the member belongs to the tool.
    ['{"arguments":{"progressToken":"p"}}', () => '{"arguments":{"progressToken":"p"}}'],
    ['{"_meta":{"progressToken":{"no":"token"}}}', () => '{"_meta":{"progressToken":{"no":"token"}}}'],
  ];
  for (const [i, [params, expected]] of bodies.entries()) {
    const answer = call(i, params);
    await settled();
    const sent = channel.sent[i]!;
    const token = JSON.parse(sent).params._meta?.progressToken;
    assertEquals(sent, requestText(i, "tools/call", expected(token)));
    channel.answers(i);
    await answer;
  }
});

Deno.test("DuplexConnection refuses a request with two progress tokens, and sends nothing", async () => {
  const { channel, call } = setUp();
  const two = ['{"_meta":{"progressToken":1,"progressToken":2}}', '{"_meta":{},"_meta":{"progressToken":1}}'];
  for (const params of two) assertEquals((await failure(call(1, params))).code, "INVALID_REQUEST");
  assertEquals(channel.sent, []);
});

Deno.test("DuplexConnection gives the session what the upstream sends of itself, a question to the latest call's client", async () => {
  const { channel, call } = setUp();
  const [first, second]: [string[], string[]] = [[], []];
  const log = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info"}}';
  const question = '{"jsonrpc":"2.0", "id": 1, "method":"elicitation/create","params":{}}';
  channel.says(question);
  const answers = [first, second].map((into, i) =>
    call(i + 1, undefined, { onMessage: (_value, text) => void into.push(text) })
  );
  await settled();
  channel.says(log);
  channel.says(question);
  assertEquals([channel.received, first, second], [[question, log], [], [question]]);
  channel.answers(1);
  channel.answers(2);
  await Promise.all(answers);
});

Deno.test("DuplexConnection tells the progress of a task that a call has made outside any call, under the caller's token", async () => {
  const { channel, call } = setUp();
  const heard: string[] = [];
  const params = '{"_meta":{"progressToken":0}}';
  const calls = [1, 2].map((id) => call(id, params, { onMessage: (_value, text) => void heard.push(text) }));
  await settled();
  const [ofTask, other] = channel.sent.map(tokenIn);
  channel.answers(1, { task: { taskId: "t", status: "working" } });
  channel.answers(2, { content: [] });
  await Promise.all(calls);
  channel.says(progress(ofTask, "of the task"));
  channel.says(progress(other));
  assertEquals(channel.received.map((text) => JSON.parse(text)), [progress(0, "of the task")]);
  assertEquals([heard, channel.strays], [[], ["progress for no pending request"]]);
});

Deno.test("DuplexConnection passes over what is no message, and goes on", async () => {
  const { channel, call } = setUp();
  const answer = call(1);
  for (
    const text of [
      "",
      "Server started!",
      "[]",
      "17",
      '{"jsonrpc":"2.0","id":1}',
      '{"id":2,"result":{}}',
      '{"id":"1","result":{}}',
      '{"id":null,"error":{}}',
    ]
  ) {
    channel.says(text);
  }
  assertEquals(channel.strays.length, 8);
  channel.says('{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}');
  assertEquals((await answer).value.error, { code: -1, message: "no" });
  assertEquals([channel.connection.closed, channel.received], [false, []]);
});

Deno.test("DuplexConnection goes on after a message that its taker chokes on", () => {
  const texts: string[] = [];
  const { channel } = setUp({
    dialect: new SessionDialect((_value, text) => {
      if (texts.push(text) === 1) throw new TypeError("no");
    }),
  });
  for (const method of ["notifications/a", "notifications/b"]) channel.says({ jsonrpc: "2.0", method });
  assertEquals([texts.length, channel.strays], [2, ["a message that cannot be handled: no"]]);
});

Deno.test("DuplexConnection fails the calls under way when its channel ends, and carries no more", async () => {
  const { channel, connection, call, within } = setUp();
  connection.established();
  const answers = [call(1), call(2)].map(failure);
  await settled();
  channel.connection.ended("it crashed");
  for (const answer of await Promise.all(answers)) {
    assertEquals(answer, { code: "UPSTREAM_CLOSED", params: { upstream: "up", sent: 1 } });
  }
  assertEquals((await failure(call(3))).params.sent, 0);
  assertEquals((await failure(connection.notify("{}", within()))).params.sent, 0);
  connection.ended("again");
  assertEquals([connection.closed, channel.endings, channel.closings, channel.sent.length], [true, 1, 1, 2]);
});

Deno.test("DuplexConnection whose channel ends during the handshake says why it could not be had", async () => {
  const { channel, connection, call } = setUp();
  const answer = failure(call(0));
  await settled();
  channel.connection.ended("the process ended (exit code 3)");
  const expected = {
    code: "UPSTREAM_CONNECT_FAILED",
    params: { upstream: "up", reason: "the process ended (exit code 3)" },
  };
  assertEquals(await answer, expected as Awaited<typeof answer>);
  assertEquals(
    await failure(connection.request(1, "{}", { deadline: new Deadline(1, "") })),
    expected as Awaited<typeof answer>,
  );
});

Deno.test("DuplexConnection lets a call wait as long as its deadline says, and longer while a client is asked", async () => {
  const { clock, channel, connection, within } = setUp();
  const limits = within(1_000);
  const plain = failure(connection.request(1, "{}", limits));
  await clock.tick(999);
  await clock.tick(1);
  assertEquals(await plain, {
    code: "UPSTREAM_TIMEOUT",
    params: { upstream: "up", phase: "answer", timeoutMs: 1_000, setting: "A_SETTING" },
  });
  channel.answers(1);
  assertEquals(channel.strays, ["a response to no pending request"]);

  const asking = within(1_000);
  // The request may belong to either call, so both deadlines are held.
  const [held, beside] = [connection.request(2, "{}", asking), connection.request(3, "{}", within(1_000))];
  await clock.tick(500);
  asking.deadline.hold(clock.now());
  await clock.tick(5_200);
  asking.deadline.release(clock.now());
  channel.answers(3);
  await beside;
  await clock.tick(400);
  channel.answers(2);
  await held;
  assertEquals([connection.closed, clock.timers], [false, 0]);
});

Deno.test("DuplexConnection drops a cancelled call at once, and sends nothing for one that was cancelled before", async () => {
  const { channel, call, clock } = setUp();
  const signal = new Cancellation();
  const answer = assertRejects(() => call(1, undefined, { signal }), Error, "enough");
  await settled();
  signal.cancel(new Error("enough"));
  await answer;
  await assertRejects(() => call(2, undefined, { signal }), Error, "enough");
  channel.answers(1);
  assertEquals([channel.sent.length, channel.strays, clock.timers], [
    1,
    ["a response to no pending request"],
    0,
  ]);
});

Deno.test("DuplexConnection fails every call that a lost message may have answered, and goes on", async () => {
  const { channel, call, connection } = setUp();
  const answers = [call(1), call(2)].map(failure);
  await settled();
  // The end may be noticed in either way.
  channel.says("x".repeat(1_001));
  const third = failure(call(3));
  await settled();
  connection.lost();
  for (const { code, params } of await Promise.all([...answers, third])) {
    assertEquals([code, params.limit], ["UPSTREAM_RESPONSE_TOO_LARGE", 1_000]);
  }
  const after = call(4);
  channel.answers(4);
  await after;
  assertEquals(connection.closed, false);
});

Deno.test("DuplexConnection fails the one call whose answer is too long, where its ends say so, and none for a notification", async () => {
  const { channel, call, connection } = setUp();
  const others = [call(1), call(3)];
  const answer = failure(call(2));
  await settled();
  channel.says({ jsonrpc: "2.0", method: "notifications/message", params: { data: "x".repeat(1_001) } });
  channel.says({ result: { text: "x".repeat(1_001), id: 1 }, jsonrpc: "2.0", id: 2 });
  // As reported by a line reader; the call has already been given up.
  connection.lost({ start: '{"jsonrpc":"2.0","id":2,"result":{"', end: '"}}' });
  assertEquals((await answer).code, "UPSTREAM_RESPONSE_TOO_LARGE");
  for (const id of [1, 3]) channel.answers(id);
  await Promise.all(others);
  assertEquals(channel.strays, ["a message beyond the size limit, or the memory of its caller"]);
});

Deno.test("DuplexConnection.notify() waits no longer than its deadline for a side that takes nothing", async () => {
  const { clock, channel, connection, within } = setUp();
  channel.isStuck = true;
  const sending = failure(connection.notify("{}", within(1_000)));
  await clock.tick(1_000);
  assertEquals((await sending).params.phase, "accept the message");
  assertEquals(clock.timers, 0);
});

Deno.test("DuplexConnection ends when nobody calls for the idle time, counted from the last call's end", async () => {
  const { clock, channel, connection, call } = setUp({ idleMs: 1_000 });
  await clock.tick(5_000);
  assertEquals(connection.closed, false, "the handshake has deadlines of its own");
  connection.established();
  await clock.tick(900);
  const answer = call(1);
  await clock.tick(3_000);
  channel.answers(1);
  await answer;
  // Messages of the upstream do not keep an idle connection open.
  for (let i = 0; i < 8; i++) {
    await clock.tick(100);
    channel.says({ jsonrpc: "2.0", method: "notifications/message" });
  }
  assertEquals(connection.closed, false);
  await clock.tick(1_200);
  assertEquals([connection.closed, channel.closings, clock.timers], [true, 1, 0]);
});

Deno.test("DuplexConnection stays for a client that has subscribed", async () => {
  const { clock, channel, connection, within } = setUp({ idleMs: 1_000 });
  connection.established();
  const answer = connection.request(1, requestText(1, "resources/subscribe", '{"uri":"a:b"}'), within());
  channel.answers(1);
  await answer;
  await clock.tick(100_000);
  assertEquals(connection.closed, false);
  await connection.close();
  assertEquals(clock.timers, 0);
});

Deno.test("DuplexConnection asks a silent side whether it is there, and ends where it says nothing", async () => {
  const { clock, channel, connection, call } = setUp({ pingAfterMs: 1_000 });
  connection.established();
  await clock.tick(1_000);
  assertEquals(channel.sent.map((text) => JSON.parse(text).method), ["ping"]);
  channel.says(`{"jsonrpc":"2.0","id":"${JSON.parse(channel.sent[0]!).id}","result":{}}`);
  assertEquals(channel.strays, []);
  // A call has its own deadline, and a working server may be silent.
  const answer = call(1);
  await clock.tick(10_000);
  assertEquals(channel.sent.length, 2);
  channel.answers(1);
  await answer;
  await clock.tick(1_500);
  assertEquals(channel.sent.length, 3);
  assertEquals(connection.closed, false);
  await clock.tick(500);
  assert(connection.closed);
  assertEquals(clock.timers, 0);
});

Deno.test("DuplexConnection.retire() ends it with the calls under way", async () => {
  const { channel, connection, call } = setUp();
  connection.established();
  const answers = [call(1), call(2)];
  connection.retire();
  await settled();
  channel.answers(1);
  assertEquals(channel.closings, 0);
  channel.answers(2);
  await Promise.all(answers);
  assertEquals([connection.closed, channel.closings], [true, 1]);
});
