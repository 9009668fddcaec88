import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  events,
  FakeUpstream,
  headerOf,
  type Received,
  refusal,
  result,
} from "../../../tests/support/fake_upstream.ts";
import { SluiceError } from "../../base/errors.ts";
import { META, STATELESS_REVISION } from "../../mcp/revisions.ts";
import { BoundSessions } from "../bound/bound_sessions.ts";
import type { SessionCall } from "./upstream_channel.ts";
import { ClientState } from "../client/client_state.ts";
import { StatelessChannel } from "./stateless_channel.ts";

const LIMITS = { timeoutMs: 1_000, timeoutSetting: "TOOL_TIMEOUT" };
const STATELESS: SessionCall = { ...LIMITS, revision: STATELESS_REVISION };
const CLAIMED =
  `{"_meta":{"${META.protocolVersion}":"2026-07-28","${META.clientCapabilities}":{}}, "name":"t"}`;

function setUp(script?: (request: Received) => ReturnType<typeof result> | undefined) {
  const fake = new FakeUpstream(script);
  fake.revisions = "stateless";
  const connection = fake.transport([["x-key", "k"]]).stateless(STATELESS_REVISION);
  const session = new StatelessChannel(connection, {
    upstream: "fake",
    clientInfo: { name: "sluice", version: "1" },
  });
  const sent = (name: string) => fake.received.map(({ http }) => headerOf(http, name));
  return { fake, session, sent };
}

Deno.test("StatelessChannel.request() sends a sessionless client's params as they are, with the headers that repeat them", async () => {
  const { fake, session, sent } = setUp();
  const answer = await session.request("tools/call", CLAIMED, STATELESS);
  assertEquals(answer, { text: '{"resultType":"complete","ok":true}', failed: false });
  assertEquals(
    fake.received[0]!.http.body,
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${CLAIMED}}`,
  );
  assertEquals(
    [
      sent("mcp-protocol-version"),
      sent("mcp-method"),
      sent("mcp-name"),
      sent("x-key"),
      sent("mcp-session-id"),
    ],
    [["2026-07-28"], ["tools/call"], ["t"], ["k"], [null]],
  );
});

Deno.test("StatelessChannel.request() names what the method is about, encoded where need be", async () => {
  const { session, sent } = setUp(({ id }) => result(id, "{}"));
  await session.request("prompts/get", '{"name":"日本"}', STATELESS);
  await session.request("resources/read", '{"name":"x","uri":"a:\\u0062"}', STATELESS);
  await session.request("tasks/get", '{"taskId":"7"}', STATELESS);
  await session.request("tools/list", '{"name":"x"}', STATELESS);
  await session.request("tools/call", '{"name":5}', STATELESS);
  assertEquals(sent("mcp-name"), ["=?base64?5pel5pys?=", "a:b", "7", null, null]);
});

Deno.test("StatelessChannel.request() gives the HTTP client the same frozen headers for the same tool", async () => {
  const { fake, session } = setUp();
  await session.request("tools/call", CLAIMED, STATELESS);
  await session.request("tools/call", CLAIMED, STATELESS);
  const [first, second] = fake.received.map(({ http }) => http.headers);
  assert(first === second && Object.isFrozen(first));
});

Deno.test("StatelessChannel.request() adds the caller's headers and those of its arguments to one request alone", async () => {
  const { session, sent } = setUp();
  const paramHeaders = [["mcp-param-region", "eu"]] as const;
  await session.request("tools/call", CLAIMED, { ...STATELESS, paramHeaders }, [["x-key", "own"]]);
  await session.request("tools/call", CLAIMED, STATELESS);
  assertEquals([sent("mcp-param-region"), sent("x-key"), sent("mcp-name")], [["eu", null], ["own", "k"], [
    "t",
    "t",
  ]]);
});

Deno.test("StatelessChannel.request() claims for an older client what its session has declared", async () => {
  const { fake, session } = setUp();
  const preferences = { logLevel: "info", subscriptions: {} };
  const bound = new BoundSessions(new ClientState({ capabilities: '{"roots": {}}', preferences }));
  await session.request("tools/call", '{"name":"t","_meta":{"progressToken":7}}', { ...LIMITS, bound });
  await session.request("tools/list", undefined, LIMITS);
  const [first, second] = fake.received.map(({ params }) => (params as { _meta: unknown })._meta);
  const clientInfo = { name: "sluice", version: "1" };
  assertEquals(first, {
    [META.protocolVersion]: STATELESS_REVISION,
    [META.clientCapabilities]: { roots: {} },
    [META.clientInfo]: clientInfo,
    [META.logLevel]: "info",
    progressToken: 7,
  });
  assertEquals(second, {
    [META.protocolVersion]: STATELESS_REVISION,
    [META.clientCapabilities]: {},
    [META.clientInfo]: clientInfo,
  });
  assert(fake.received[0]!.http.body!.includes('{"roots": {}}'));
});

Deno.test("StatelessChannel.request() answers for an older client what the revision has no more", async () => {
  const { fake, session } = setUp();
  for (const method of ["ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"]) {
    assertEquals(await session.request(method, "{}", LIMITS), { text: "{}", failed: false });
  }
  assertEquals(fake.received.length, 0);
});

Deno.test("StatelessChannel.request() passes notifications on, and no requests", async () => {
  const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7}}';
  const { session } = setUp(({ id }) =>
    events(
      progress,
      '{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}',
      `{"jsonrpc":"2.0","id":${id},"result":{}}`,
    )
  );
  const heard: string[] = [];
  const request = () => Promise.reject(new Error("nobody is asked"));
  await session.request("tools/call", "{}", {
    ...LIMITS,
    client: { notify: (text) => heard.push(text), request },
  });
  assertEquals(heard, [progress]);
});

Deno.test("StatelessChannel.request() gives results of an extension's own type to none but the clients that may know it", async () => {
  for (const resultType of ['"vendor_type"', "null", "7"]) {
    const text = `{"resultType":${resultType},"x":1.0}`;
    const { session } = setUp(({ id }) => result(id, text));
    assertEquals((await session.request("tools/call", CLAIMED, STATELESS)).text, text);
    const failure = await assertRejects(() => session.request("tools/call", "{}", LIMITS), SluiceError);
    assertEquals(failure.code, "UPSTREAM_PROTOCOL_ERROR");
  }
  // Older servers omit it.
  const { session } = setUp(({ id }) => result(id, '{"x":1}'));
  assertEquals((await session.request("tools/call", "{}", LIMITS)).text, '{"x":1}');
});

Deno.test("StatelessChannel.request() takes an error in a 4xx answer for the answer", async () => {
  for (
    const [status, code] of [[400, -32602], [400, -32600], [404, -32601], [200, -32000], [400, 7]] as const
  ) {
    const { session } = setUp(({ id }) => refusal(id, status, { code, message: "no" }));
    assertEquals(await session.request("tools/call", CLAIMED, STATELESS), {
      text: `{"code":${code},"message":"no"}`,
      failed: true,
    });
  }
});

Deno.test("StatelessChannel.request() tells a capability that is missing in words that the client knows", async () => {
  const error = {
    code: -32021,
    message: "no",
    data: { requiredCapabilities: { elicitation: {}, roots: {} } },
  };
  const { session } = setUp(({ id }) => refusal(id, 400, error));
  const answer = await session.request("tools/call", CLAIMED, STATELESS);
  assertEquals([JSON.parse(answer.text), answer.failed], [error, true]);
  const failure = await assertRejects(() => session.request("tools/call", "{}", LIMITS), SluiceError);
  assertEquals(failure.code, "UPSTREAM_NEEDS_INPUT");
  assert(failure.message.includes("elicitation, roots"), failure.message);
});

Deno.test("StatelessChannel.request() does not blame the client for headers of ours", async () => {
  const { session } = setUp(({ id }) => refusal(id, 400, { code: -32020, message: "Mcp-Name differs" }));
  const failure = await assertRejects(() => session.request("tools/call", CLAIMED, STATELESS), SluiceError);
  assertEquals(failure.code, "UPSTREAM_REJECTED");
});

Deno.test("StatelessChannel.request() closes the stream of a cancelled call and says nothing more", async () => {
  const { fake, session } = setUp(() => new Promise(() => {}) as never);
  const stop = new AbortController();
  const call = session.request("tools/call", CLAIMED, { ...STATELESS, signal: stop.signal });
  stop.abort(new Error("given up"));
  await assertRejects(() => call, Error, "given up");
  assertEquals(fake.methods, ["tools/call"]);
});

Deno.test("StatelessChannel.checkHealth() asks server/discover where older servers are pinged", async () => {
  const { fake, session } = setUp();
  assertEquals(await session.checkHealth("ping", 1_000), "healthy");
  assertEquals(await session.checkHealth("list_tools", 1_000), "healthy");
  assertEquals(fake.methods, ["server/discover", "tools/list"]);
});
