import { assertEquals, assertRejects } from "@std/assert";
import { Cancellation } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import { requestText } from "../../mcp/json_rpc.ts";
import { META } from "../../mcp/revisions.ts";
import { FakeChannel } from "../../../tests/support/fake_channel.ts";
import { FakeClock, settled } from "../../../tests/support/fake_clock.ts";
import type { RequestOptions } from "../transport/transport.ts";
import { Deadline } from "../resilience/deadline.ts";
import { StatelessDialect } from "./stateless_dialect.ts";

const LOUD = `{"_meta":{"${META.logLevel}":"debug"}}`;
const LOG = { jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "said" } };

function setUp() {
  const clock = new FakeClock();
  const greeting = { method: "server/discover", params: "{}", accept: () => {}, follow: () => null };
  const channel = new FakeChannel(clock, { dialect: new StatelessDialect("up", greeting, clock) });
  channel.connection.established();
  const heard: Record<number, string[]> = {};
  const call = (id: number, params = "{}", more: Partial<RequestOptions> = {}) => {
    const texts: string[] = heard[id] = [];
    return channel.connection.request(id, requestText(id, "tools/call", params), {
      deadline: new Deadline(1_000, "A_SETTING", clock.now()),
      onMessage: (_value, text) => void texts.push(JSON.parse(text).method),
      ...more,
    });
  };
  const listen = (id: number, more: Partial<RequestOptions> = {}) => {
    const deadline = new Deadline(0, "none", clock.now());
    deadline.hold();
    return call(id, "{}", { isLongLived: true, deadline, ...more });
  };
  const notices = () => channel.sent.map((text) => JSON.parse(text)).filter(({ id }) => id === undefined);
  return { clock, channel, call, listen, heard, notices };
}

const about = (subscription: unknown, method = "notifications/tools/list_changed") => ({
  jsonrpc: "2.0",
  method,
  params: { _meta: { [META.subscriptionId]: subscription } },
});

Deno.test("StatelessDialect gives each subscription what names it, and nobody what names none", async () => {
  const { channel, call, listen, heard } = setUp();
  const all = [listen(1), listen(2), call(3)];
  await settled();
  for (const id of [1, 2, 1, 3, 4, "1", null]) channel.says(about(id));
  channel.says({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
  channel.says({ jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri: "a:b" } });
  assertEquals([heard[1]!.length, heard[2]!.length, heard[3]!.length], [2, 1, 0]);
  assertEquals(channel.strays.length, 6);
  for (const id of [1, 2, 3]) channel.answers(id);
  await Promise.all(all);
});

Deno.test("A request of an upstream of 2026-07-28 is refused at once", async () => {
  const { channel, call, heard } = setUp();
  const answer = call(1);
  await settled();
  for (const [id, method] of [[1, "sampling/createMessage"], ["x", "ping"]]) {
    channel.says({ jsonrpc: "2.0", id, method });
  }
  await settled();
  assertEquals([heard[1], channel.strays.length], [[], 2]);
  const error = { code: -32601, message: "Method not found" };
  assertEquals(channel.sent.slice(1).map((sent) => typeof sent === "string" ? JSON.parse(sent) : sent), [
    { jsonrpc: "2.0", id: 1, error },
    { jsonrpc: "2.0", id: "x", error },
  ]);
  channel.answers(1);
  await answer;
});

Deno.test("StatelessDialect gives a log message to the one call that wants log messages, else to nobody", async () => {
  const { clock, channel, call, listen, heard } = setUp();
  const signal = new Cancellation();
  const all: Promise<unknown>[] = [call(1), listen(2)];
  channel.says(LOG);
  all.push(call(3, LOUD));
  await settled();
  channel.says(LOG);
  assertEquals(heard[3], ["notifications/message"]);
  const given = assertRejects(() => call(4, LOUD, { signal }), Error, "enough");
  await settled();
  channel.says(LOG);
  // The message may belong to the cancelled call.
  signal.cancel(new Error("enough"));
  await given;
  channel.says(LOG);
  assertEquals([heard[1], heard[2], heard[3]!.length, heard[4], channel.strays.length], [[], [], 1, [], 3]);
  for (const id of [1, 2, 3]) channel.answers(id);
  await Promise.all(all);
  await clock.tick(5_000);
  const later = call(5, LOUD);
  await settled();
  channel.says(LOG);
  assertEquals(heard[5], ["notifications/message"]);
  channel.answers(5);
  await later;
});

Deno.test("StatelessDialect tells the upstream of what is given up: cancelled, too late, or no longer listened to", async () => {
  const { clock, channel, call, listen, notices } = setUp();
  const signal = new Cancellation();
  const given = [call(1, "{}", { signal }), listen(2, { signal })].map((work) => assertRejects(() => work));
  const late = assertRejects(() => call(3), SluiceError);
  await settled();
  signal.cancel(new Error("enough"));
  await clock.tick(1_000);
  await Promise.all([...given, late]);
  assertEquals(
    notices().map(({ method, params }) => [method, params]),
    [1, 2, 3].map((requestId) => ["notifications/cancelled", { requestId }]),
  );
  // A late response has no recipient.
  channel.answers(1);
  assertEquals(channel.strays, ["a response to no pending request"]);
});

Deno.test("A subscription has no deadline, and holds up that of no call", async () => {
  const { clock, channel, call, listen } = setUp();
  const listening = listen(1);
  const late = assertRejects(() => call(2), SluiceError);
  await clock.tick(1_000);
  assertEquals((await late).code, "UPSTREAM_TIMEOUT");
  await clock.tick(1_000_000);
  channel.answers(1);
  await listening;
  assertEquals(clock.timers, 0);
});

Deno.test("StatelessDialect ends a subscription that the upstream tears down, and no call", async () => {
  const { channel, call, listen, notices } = setUp();
  const listening = assertRejects(() => listen(1), SluiceError);
  const answer = call(2);
  await settled();
  for (const requestId of [1, 2, 3]) {
    channel.says({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } });
  }
  assertEquals([(await listening).code, notices()], ["UPSTREAM_CLOSED", []]);
  channel.answers(2);
  await answer;
});
