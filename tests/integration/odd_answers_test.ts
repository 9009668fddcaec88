// Upstreams whose answers are unusual and sound work, and what their calls say reaches the client as it was written. Public reports
// of gateways and SDKs have each kind.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import {
  eventStream,
  type OddAnswer,
  OddHttpUpstream,
  sound,
  toRequests,
} from "../support/odd_http_upstream.ts";
import { Sluice } from "../support/sluice.ts";

const json = (body: (text: string) => string, type: string | null = "application/json", status = 200) =>
  toRequests((text) => {
    // A string as body would get a content type.
    const response = new Response(new TextEncoder().encode(body(text)), { status });
    if (type !== null) response.headers.set("content-type", type);
    return response;
  });
const same = (text: string) => text;
const pretty = (text: string, lineEnd: string) =>
  JSON.stringify(JSON.parse(text), null, 2).replaceAll("\n", lineEnd);
const notified = (status: number, body: string | null, type?: string): OddAnswer => (asked) =>
  asked.answer !== null
    ? sound(asked)
    : new Response(body, { status, headers: type === undefined ? {} : { "content-type": type } });

/** The server opens a session with this id, and wants it back byte by byte. */
const session = (id: string): OddAnswer => (asked) => {
  const { message: { method }, request } = asked;
  const bytes = String.fromCharCode(...new TextEncoder().encode(id));
  const response = sound(asked) as Response;
  if (method === "initialize") response.headers.set("mcp-session-id", bytes);
  else if (request.headers.get("mcp-session-id") !== bytes) return new Response("other id", { status: 404 });
  return response;
};

const SOUND: Readonly<Record<string, OddAnswer>> = {
  lines_crlf: eventStream((text) => [`event: message\r\ndata: ${text}\r\n\r\n`]),
  lines_crlf_cut: eventStream((text) => ["event: message\r", `\ndata: ${text}\r`, "\n\r", "\n"]),
  field_without_space: eventStream((text) => [`event:message\ndata:${text}\n\n`]),
  comments: eventStream((text) => [": ping - 2026\n\n", ":\n\n", `data: ${text}\n\n`]),
  data_in_lines: eventStream((text) => [`data: ${pretty(text, "\ndata: ")}\n\n`]),
  stream_bom: eventStream((text) => [`\ufeffdata: ${text}\n\n`]),
  odd_ids: eventStream((text) => [`retry: 1000\nid: a b/c:1\n\n`, `id: x y\ndata: ${text}\n\n`]),
  priming_event: eventStream((text) => ["id: 0\ndata: \n\n", `id: 1\ndata: ${text}\n\n`]),
  other_events: eventStream((
    text,
  ) => ["event: ping\ndata: 2026\n\n", "event: endpoint\ndata: /x\n\n", `data: ${text}\n\n`]),
  batch_event: eventStream((text) => [`data: [${text}]\n\n`]),
  done_event: eventStream((text) => [`data: ${text}\n\n`, "data: [DONE]\n\n"]),
  cut_in_bytes: eventStream((text) => [..."data: ", ...text, "\n\n"]),
  type_with_charset: json(same, "application/json; charset=utf-8"),
  type_in_capitals: json(same, "Application/JSON;charset=UTF-8"),
  type_missing: json(same, null),
  type_text: json(same, "text/plain"),
  type_json_rpc: json(same, "application/json-rpc"),
  type_of_a_vendor: json(same, "application/vnd.api+json"),
  body_bom: json((text) => `\ufeff${text}`),
  body_pretty: json((text) => `\r\n  ${pretty(text, "\r\n")}\r\n`),
  body_array: json((text) => `[${text}]`),
  status_201: json(same, "application/json", 201),
  error_null: json((text) => text.replace(/}$/, ',"error":null}')),
  version_missing: json((text) => text.replace('"jsonrpc":"2.0",', "")),
  notified_empty: notified(200, ""),
  notified_null: notified(200, "null", "application/json"),
  notified_stream: notified(200, "", "text/event-stream"),
  notified_204: notified(204, null),
  notified_202_body: notified(202, '{"status":"accepted"}', "application/json"),
  notified_202_text: notified(202, "Accepted", "text/plain"),
  notified_id_null: notified(200, '{"jsonrpc":"2.0","id":null}', "application/json"),
  notified_error: notified(
    200,
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"x"}}',
    "application/json",
  ),
  session_spaces: session("a b  c"),
  session_base64: session("aGVsbG8+/w=="),
  session_long: session("x".repeat(7_000)),
  session_utf8: session("sitzung-é-日本"),
  session_commas: session("a,b, c;d=1"),
  session_quotes: session('"q\'\\{}"'),
};

/** What a call is answered with: the response's member as it is written. */
const OUTCOMES: Readonly<Record<string, string>> = {
  long_numbers:
    '"result":{"content":[],"structuredContent":{"id":9007199254740993,"f":1.10,"e":1e400,"n":-0}}',
  half_surrogate: '"result":{"content":[{"type":"text","text":"x\\ud800y\\u0000z\\u2028"}]}',
  error_of_a_tool: '"result":{"isError":true,"content":[],"structuredContent":{"e":1},"_meta":{"a/b":1}}',
  nothing: '"result":{}',
  error_data: '"error":{"code":-32000,"message":"Zażółć","data":{"trace":["a"],"n":1}}',
  odd_error: '"error":{"code":"E_FAIL","message":{"x":1}}',
};

/** Messages around a call's response, in events. */
const AROUND: Readonly<Record<string, (response: string) => readonly string[]>> = {
  foreign_id: (text) => ['{"jsonrpc":"2.0","id":99999,"result":{}}', text],
  null_id: (text) => ['{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse"}}', text],
  second_response: (text) => [text, text.replace("first", "second")],
  late_progress: (
    text,
  ) => [
    text,
    '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}',
  ],
  empty_events: (text) => ["", "", text],
};

/** Calls whose answer is none: the words that the caller reads. */
const FAULTY: Readonly<Record<string, readonly [answer: OddAnswer, words: string]>> = {
  bare_result: [json(() => '{"content":[]}'), "the body is no response to the request"],
  not_a_number: [json((text) => text.replace('"text":', '"text":NaN,"a":')), "the body is not JSON"],
  another_id: [
    json((text) => text.replace(/"id":\d+/, '"id":"7"')),
    "the body is no response to the request",
  ],
  no_response: [eventStream(() => [": nothing\n\n"]), "closed the connection before it answered"],
};

const onCalls = (answer: OddAnswer): OddAnswer => (asked) =>
  (asked.message.method === "tools/call" ? answer : sound)(asked);
const toolName = (kind: string) => `${kind.replaceAll("_", "-")}-echo`;

Deno.test("Unusual and sound answers work, and what a call says comes as it was written", async (t) => {
  const outcome = (member: string) =>
    onCalls(json((text) => `{"jsonrpc":"2.0",${/"id":[^,]+/.exec(text)![0]},${member}}`));
  const around = (write: (text: string) => readonly string[]) =>
    onCalls(
      eventStream((text) =>
        write(text.replace("{}", "first")).map((data) => `event: message\ndata: ${data}\n\n`)
      ),
    );
  const kinds: Record<string, OddAnswer> = {
    ...SOUND,
    ...Object.fromEntries(Object.entries(OUTCOMES).map(([kind, member]) => [kind, outcome(member)])),
    ...Object.fromEntries(Object.entries(AROUND).map(([kind, write]) => [kind, around(write)])),
    ...Object.fromEntries(Object.entries(FAULTY).map(([kind, [answer]]) => [kind, onCalls(answer)])),
  };
  await using odd = new OddHttpUpstream(kinds);
  await using sluice = await Sluice.start();
  for (const kind of Object.keys(kinds)) {
    assertEquals((await sluice.registerUpstream(kind, odd.url(kind))).toolCount, 1, kind);
  }
  const token = await sluice.token();
  const session = await openSession(sluice, { token });
  const options = { token, headers: inSession(session) };

  await t.step("answers", async () => {
    for (const kind of Object.keys(SOUND)) {
      const { body } = await post(sluice, toolCall(toolName(kind), { kind }), options);
      assertEquals(
        body.result?.content[0].text,
        JSON.stringify({ kind }),
        `${kind}: ${JSON.stringify(body)}`,
      );
    }
  });

  await t.step("outcomes, byte for byte", async () => {
    for (const [kind, member] of Object.entries(OUTCOMES)) {
      const response = await fetch(`${sluice.url}/mcp`, {
        method: "POST",
        headers: {
          ...options.headers,
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
        },
        body: JSON.stringify(toolCall(toolName(kind))),
      });
      assertStringIncludes(await response.text(), member, kind);
    }
  });

  await t.step("messages that nobody waits for", async () => {
    for (const kind of Object.keys(AROUND)) {
      const { body } = await post(sluice, toolCall(toolName(kind)), options);
      assertEquals(body.result?.content[0].text, "first", `${kind}: ${JSON.stringify(body)}`);
    }
  });

  await t.step("answers that are none", async () => {
    for (const [kind, [, words]] of Object.entries(FAULTY)) {
      const { body } = await post(sluice, toolCall(toolName(kind), { x: "x" }), options);
      assertStringIncludes(body.error?.message ?? JSON.stringify(body), words, kind);
    }
  });
});
