// Params and results pass through unchanged, except for names.
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  catalogRows,
  gatewayRow,
  promptRow,
  resourceRow,
  toolRow,
} from "../../tests/support/catalog_rows.ts";
import { dataPlane, requestOf } from "../../tests/support/data_plane.ts";
import { FakeUpstream, result } from "../../tests/support/fake_upstream.ts";
import { memberText } from "../mcp/json_rpc.ts";

const ROWS = catalogRows({
  gateways: [gatewayRow("a")],
  tools: [toolRow("a", 'odd "näme')],
  prompts: [promptRow("a", "ask")],
  resources: [resourceRow("a", "x://1")],
});

/** Any JSON value in a text that our serialiser would not write: spaces, escapes, long numbers. */
const jsonText = fc.oneof(
  fc.json(),
  fc.constantFrom(
    "1.0",
    "12345678901234567890",
    '"\\u0041"',
    "[ ]",
    "1e2",
    "-0",
    '{"name" : "x"}',
    '"\\ud800"',
  ),
);

const members = fc.array(fc.tuple(fc.constantFrom("arguments2", "_meta", "x", "näme", 'a\\"b'), jsonText), {
  maxLength: 4,
});

const space = fc.constantFrom("", " ", "\n\t");

function objectText(parts: readonly string[], gap: string): string {
  return `{${gap}${parts.join(`${gap},${gap}`)}${gap}}`;
}

Deno.test("tools/call sends params byte for byte but for the name, and gives the result byte for byte", async () => {
  let resultJson = "null";
  const a = new FakeUpstream(({ method, id }) =>
    method === "tools/call" ? result(id, resultJson) : undefined
  );
  a.stateful = false;
  const { dispatcher, context } = await dataPlane(ROWS, { a });
  const property = fc.asyncProperty(
    members,
    members,
    fc.dictionary(fc.string(), fc.jsonValue()),
    jsonText,
    space,
    async (before, after, args, answer, gap) => {
      resultJson = answer;
      const written = (list: [string, string][]) =>
        list.map(([key, value]) => `"${key}"${gap}:${gap}${value}`);
      const argsText = `"arguments":${JSON.stringify(args)}`;
      const params = (name: string) =>
        objectText([...written(before), `"name"${gap}:${gap}${name}`, argsText, ...written(after)], gap);
      const text = `{"jsonrpc":"2.0","id":"i","method":"tools/call","params":${
        params('"a-odd \\"n\\u00e4me"')
      }}`;
      const response = await dispatcher.respond(context(), requestOf(text));
      assertEquals(response, `{"jsonrpc":"2.0","id":"i","result":${answer}}`);
      const sent = a.received.at(-1)!.http.body!;
      assertEquals(memberText(sent, "params"), params(JSON.stringify('odd "näme')));
    },
  );
  await fc.assert(property, { numRuns: 200 });
});

const CASES: [method: string, params: string, sent: string][] = [
  ["prompts/get", '{ "name":"a-ask", "x":1.0 }', '{ "name":"ask", "x":1.0 }'],
  ["resources/read", '{ "uri":"x:\\/\\/1", "x":1.0 }', '{ "uri":"x:\\/\\/1", "x":1.0 }'],
  [
    "completion/complete",
    '{ "ref":{ "type":"ref/prompt", "name":"a-ask", "y":1e2 }, "argument":{"name":"a-ask"} }',
    '{ "ref":{ "type":"ref/prompt", "name":"ask", "y":1e2 }, "argument":{"name":"a-ask"} }',
  ],
  [
    "completion/complete",
    '{"ref":{"type":"ref/resource","uri":"x://1"}}',
    '{"ref":{"type":"ref/resource","uri":"x://1"}}',
  ],
  ['a-odd \\"näme', '{ "name" : 1.0 }', `{"name":"odd \\"näme","arguments":{ "name" : 1.0 }}`],
];

Deno.test("prompts/get, resources/read, completion/complete and a tool as method send params byte for byte", async () => {
  for (const [method, params, sent] of CASES) {
    const a = new FakeUpstream();
    const { dispatcher, context } = await dataPlane(ROWS, { a });
    const text = `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`;
    await dispatcher.respond(context({ toolsAsMethods: true }), requestOf(text));
    const { http } = a.received.find(({ method }) =>
      /[a-z]\/[a-z]/.test(method) && !method.startsWith("notif")
    )!;
    assertEquals(memberText(http.body!, "params"), sent, method);
  }
});

Deno.test("a response carries the id as the client wrote it", async () => {
  const { dispatcher, context } = await dataPlane(ROWS);
  for (const id of ["1", '"a"', '"\\"x"', "12345678901234567890", "1.5", "-3"]) {
    const response = await dispatcher.respond(
      context(),
      requestOf(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`),
    );
    assertEquals(response, `{"jsonrpc":"2.0","id":${id},"result":{}}`);
  }
});
