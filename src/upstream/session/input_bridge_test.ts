import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { FakeUpstream, type Received, result } from "../../../tests/support/fake_upstream.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { SluiceError } from "../../base/errors.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import { BoundSessions } from "../bound/bound_sessions.ts";
import type { AskOptions, ClientPeer, RpcAnswer } from "../client/client_peer.ts";
import { ClientState } from "../client/client_state.ts";
import { answerInput } from "./input_bridge.ts";
import { StatelessChannel } from "./stateless_channel.ts";

const LIMITS = { timeoutMs: 1_000, timeoutSetting: "TOOL_TIMEOUT" };
const ALL = '{"elicitation":{"url":{}},"sampling":{},"roots":{}}';
const STATE = '"opaque \\u00e4\\/"';

type Answer = (method: string, params: string | undefined, options: AskOptions) => Promise<RpcAnswer>;

/** An upstream that answers with `rounds` in turn, and then with a final result. */
function setUp(rounds: string[], answer?: Answer, capabilities = ALL) {
  const fake = new FakeUpstream(({ id, method }: Received) => {
    if (method !== "tools/call") return undefined;
    return result(id, rounds.shift() ?? '{"resultType":"complete","content":[]}');
  });
  fake.revisions = "stateless";
  const session = new StatelessChannel(fake.transport().stateless(STATELESS_REVISION), {
    upstream: "fake",
    clientInfo: { name: "sluice", version: "1" },
  });
  const asked: [method: string, params: unknown][] = [];
  const client: ClientPeer = {
    notify: () => {},
    request: answer === undefined ? undefined : (method, params, options) => {
      asked.push([method, params === undefined ? undefined : JSON.parse(params)]);
      return answer(method, params, options);
    },
  };
  const bound = new BoundSessions(new ClientState({ capabilities }));
  const call = (signal?: AbortSignal) =>
    session.request("tools/call", '{"name":"t","arguments":{"n":1.0}}', { ...LIMITS, client, bound, signal });
  const sent = () => fake.received.map(({ params }) => params as Record<string, unknown>);
  return { fake, session, call, asked, sent };
}

function required(requests: Record<string, unknown> | null, state: string | null = STATE): string {
  const inputs = requests === null ? "" : `,"inputRequests":${JSON.stringify(requests)}`;
  return `{"resultType":"input_required"${inputs}${state === null ? "" : `,"requestState": ${state}`}}`;
}

const accepted = (text: string): RpcAnswer => ({ text, failed: false });

Deno.test("An older client is asked what a stateless upstream requires, and the call is made again with the answers", async () => {
  const { fake, call, asked, sent } = setUp(
    [required({
      name: { method: "elicitation/create", params: { mode: "form", message: "?" } },
      place: { method: "roots/list" },
    })],
    (method) => Promise.resolve(accepted(method === "roots/list" ? '{"roots":[ ]}' : '{"action":"accept"}')),
  );
  assertEquals(await call(), accepted('{"resultType":"complete","content":[]}'));
  assertEquals(asked, [["elicitation/create", { mode: "form", message: "?" }], ["roots/list", undefined]]);
  const [first, second] = sent();
  assertEquals(second!.inputResponses, { name: { action: "accept" }, place: { roots: [] } });
  assertEquals([second!.name, second!.arguments, second!._meta], ["t", { n: 1 }, first!._meta]);
  const body = fake.received[1]!.http.body!;
  // The text is unchanged, byte for byte, and so are the client's arguments.
  assert(
    body.includes(`"requestState":${STATE}`) && body.includes('{"n":1.0}') && body.includes('{"roots":[ ]}'),
  );
  assertEquals(fake.received.map(({ id }) => id), [1, 2]);
});

Deno.test("The input bridge asks all questions at once and sends each round's answers alone", async () => {
  let waiting = 0;
  const all = Promise.withResolvers<void>();
  const question = (message: string) => ({ method: "sampling/createMessage", params: { message } });
  const { call, sent } = setUp(
    [required({ a: question("1"), b: question("2") }), required({ c: question("3") }, null)],
    async (_method, params) => {
      if (params!.includes("3")) return accepted('"c"');
      if (++waiting === 2) all.resolve();
      await all.promise;
      return accepted('"ab"');
    },
  );
  await call();
  assertEquals(sent().map(({ inputResponses }) => inputResponses), [undefined, { a: "ab", b: "ab" }, {
    c: "c",
  }]);
  assertEquals(sent().map(({ requestState }) => requestState), [undefined, "opaque ä/", undefined]);
});

Deno.test("The input bridge gives a question by URL the id that older clients want", async () => {
  const params = { mode: "url", url: "https://x.example", message: "?" };
  const { call, asked } = setUp(
    [required({ a: { method: "elicitation/create", params } })],
    () => Promise.resolve(accepted("{}")),
  );
  await call();
  const [[, seen]] = asked as [[string, { elicitationId: string }]];
  assertEquals({ ...seen, elicitationId: typeof seen.elicitationId }, { ...params, elicitationId: "string" });
});

Deno.test("The input bridge paces an upstream that only wants to be asked again", async () => {
  const clock = new FakeClock();
  const asked: string[] = [];
  const again = { resultType: "input_required", requestState: "s" };
  const answers = [again, { ...again, inputRequests: {} }, { content: [] }];
  const answer = answerInput({ text: JSON.stringify(again), result: again }, {
    upstream: "fake",
    client: undefined,
    clientCapabilities: "{}",
    signal: undefined,
    params: '{"name":"t"}',
    ask: (params) => {
      asked.push(params);
      const result = answers.shift();
      return Promise.resolve({ answer: accepted(JSON.stringify(result)), result });
    },
    clock,
  });
  const seen: number[] = [];
  for (const ms of [249, 1, 249, 1, 250]) {
    await clock.tick(ms);
    seen.push(asked.length);
  }
  assertEquals(seen, [0, 1, 1, 2, 3]);
  assertEquals(new Set(asked.map((text) => JSON.stringify(JSON.parse(text)))).size, 1);
  assertEquals(await answer, accepted('{"content":[]}'));
});

Deno.test("The input bridge gives an upstream up that is never content", async () => {
  const { call, fake } = setUp(
    Array.from({ length: 20 }, () => required({ a: { method: "roots/list" } })),
    () => Promise.resolve(accepted("{}")),
  );
  const error = await assertRejects(() => call(), SluiceError, "8 rounds");
  assertEquals([error.code, fake.received.length], ["UPSTREAM_NEEDS_INPUT", 9]);
});

Deno.test("The input bridge says why a client cannot be asked", async () => {
  const elicit = (mode: string) => ({ a: { method: "elicitation/create", params: { mode } } });
  const answer: Answer = () => Promise.resolve(accepted("{}"));
  const refused: Answer = () => Promise.resolve({ text: '{"code":-1,"message":"rejected"}', failed: true });
  for (
    const [requests, peer, capabilities, words] of [
      [elicit("form"), undefined, ALL, "cannot be asked"],
      [elicit("form"), answer, '{"sampling":{}}', "has not declared elicitation"],
      [elicit("url"), answer, '{"elicitation":{}}', "has not declared elicitation.url"],
      [{ a: { method: "tools/list" } }, answer, ALL, "has not declared a matching capability"],
      [elicit("form"), refused, ALL, "the client refused: rejected"],
    ] as const
  ) {
    const { call, fake } = setUp([required(requests)], peer, capabilities);
    const error = await assertRejects(() => call(), SluiceError, words);
    assertEquals([error.code, fake.received.length], ["UPSTREAM_NEEDS_INPUT", 1]);
  }
  const { call } = setUp([required({ a: 5 })], answer);
  assertEquals((await assertRejects(() => call(), SluiceError)).code, "UPSTREAM_PROTOCOL_ERROR");
});

Deno.test("The input bridge takes its questions back when one fails or the call is given up", async () => {
  const aborted: unknown[] = [];
  const never: Answer = (_method, _params, { signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        aborted.push(signal.reason);
        reject(signal.reason);
      }, { once: true });
    });
  const stop = new AbortController();
  const { call, asked } = setUp([required({ a: { method: "roots/list" } })], never);
  const pending = call(stop.signal);
  await waitFor(() => asked.length > 0, { what: "the question", everyMs: 0 });
  const reason = new Error("given up");
  stop.abort(reason);
  await assertRejects(() => pending, Error, "given up");
  assertEquals(aborted, [reason]);

  const failing = setUp(
    [required({ a: { method: "roots/list" }, b: { method: "sampling/createMessage", params: {} } })],
    (method, params, options) =>
      method === "roots/list"
        ? never(method, params, options)
        : Promise.resolve({ text: '{"code":-1,"message":"no"}', failed: true }),
  );
  await assertRejects(() => failing.call(), SluiceError, "the client refused");
  assertEquals(aborted.length, 2);
});

Deno.test("A sessionless client gets an input-required result as it came", async () => {
  const text = required({ a: { method: "roots/list" } });
  const { session } = setUp([text]);
  const answer = await session.request("tools/call", '{"name":"t"}', {
    ...LIMITS,
    revision: STATELESS_REVISION,
  });
  assertEquals(answer, accepted(text));
});

Deno.test("The input bridge refuses an upstream that asks for too much at once, and asks the client nothing", async () => {
  const questions = (count: number) =>
    required(
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`q${i}`, { method: "roots/list" }])),
    );
  const answer = () => Promise.resolve(accepted('{"roots":[]}'));
  const allowed = setUp([questions(100)], answer);
  assertEquals((await allowed.call()).failed, false);
  assertEquals(allowed.asked.length, 100);
  const refused = setUp([questions(101)], answer);
  const error = await assertRejects(refused.call, SluiceError, "it asked for more than 100 inputs at once");
  assertEquals([error.code, refused.asked.length], ["UPSTREAM_NEEDS_INPUT", 0]);
});
