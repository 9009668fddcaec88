import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { Refusal } from "./gateway_fault.ts";
import { AGAIN_MS, GatewayLink, RESTART_MS } from "./gateway_link.ts";

type Answer = () => Response | Error;

const away = () =>
  new TypeError("fetch failed", { cause: new Error("client error (Connect): tcp connect error") });
const broken = () =>
  new TypeError("fetch failed", { cause: new Error("client error (SendRequest): broken") });
const refusal = (status: number, code: string) => () =>
  Response.json({ jsonrpc: "2.0", id: null, error: { code: -1, message: code, data: { code } } }, { status });
const fine = () => new Response("{}");

/** A gateway that gives these answers in turn, the last one again and again. */
function setUp(answers: Answer[], tokens: readonly string[] = ["a"]) {
  const clock = new FakeClock();
  const sent: (string | null)[] = [];
  let read = 0;
  const link = new GatewayLink({
    url: new URL("http://gateway.example/mcp"),
    readToken: () => tokens[Math.min(read++, tokens.length - 1)]!,
    clock,
    fetch: (_url, init) => {
      sent.push(new Headers(init!.headers).get("authorization"));
      const answer = (answers.length > 1 ? answers.shift()! : answers[0]!)();
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  });
  const send = () => link.send({ method: "POST", headers: {}, body: "{}" });
  const outcome = () => send().then(() => "sent", (error: Refusal) => error.message);
  return { clock, sent, send, outcome };
}

Deno.test("GatewayLink.send() tells of a gateway that was never there at once", async () => {
  const { outcome, sent } = setUp([away]);
  assertEquals(await outcome().then((words) => /nothing listens there/.test(words)), true);
  assertEquals(sent.length, 1);
});

Deno.test("GatewayLink.send() waits for a gateway that restarts, but not for ever, and then for the next one again", async () => {
  const { clock, outcome, sent } = setUp([fine, away, refusal(503, "SHUTTING_DOWN"), away, fine, away]);
  assertEquals(await outcome(), "sent");
  const restarted = outcome();
  await clock.tick(3 * AGAIN_MS);
  assertEquals([await restarted, sent.length], ["sent", 5]);
  let isOver = false;
  const gone = outcome().finally(() => isOver = true);
  await clock.tick(RESTART_MS - 1);
  assertEquals(isOver, false);
  await clock.tick(AGAIN_MS);
  assertEquals([isOver, /nothing listens there/.test(await gone)], [true, true]);
  // Whoever asks meanwhile is told at once.
  assertEquals(/nothing listens there/.test(await outcome()), true);
});

Deno.test("GatewayLink.send() never sends again what the gateway may have begun with", async () => {
  for (
    const answer of [
      broken,
      refusal(503, "OVERLOADED"),
      refusal(502, "UPSTREAM_CLOSED"),
      refusal(500, "INTERNAL"),
    ]
  ) {
    const { outcome, sent, send } = setUp([fine, answer]);
    assertEquals(await outcome(), "sent");
    await assertRejects(send, Refusal);
    assertEquals(sent.length, 2);
  }
});

Deno.test("GatewayLink.send() reads the token again when it is refused, and sends another one once", async () => {
  const denied = refusal(401, "UNAUTHENTICATED");
  const renewed = setUp([denied, fine], ["a", "b"]);
  assertEquals([await renewed.outcome(), renewed.sent], ["sent", ["Bearer a", "Bearer b"]]);
  const same = setUp([denied], ["a"]);
  assertEquals([await same.outcome(), same.sent], ["UNAUTHENTICATED", ["Bearer a"]]);
});

Deno.test("GatewayLink.send() ends with its signal, also while it waits", async () => {
  const { clock, outcome } = setUp([fine, away]);
  await outcome();
  const gone = new AbortController();
  const link = new GatewayLink({
    url: new URL("http://gateway.example/mcp"),
    readToken: () => null,
    clock,
    fetch: () => Promise.reject(away()),
  });
  gone.abort(new Error("over"));
  await assertRejects(() => link.send({ method: "GET", headers: {}, signal: gone.signal }), Error, "over");
});
