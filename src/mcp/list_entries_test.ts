import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import process from "node:process";
import { type ListMethod, type ListParser, sdkParsers } from "../../tests/support/sdk_parsers.ts";
import { ENTRIES } from "../../tests/support/faulty_entries.ts";
import { isRefused, judgeEntry, type ListEntry, type ListKind } from "./list_entries.ts";

const METHODS: Readonly<Record<ListKind, ListMethod>> = {
  tool: "tools/list",
  resource: "resources/list",
  template: "resources/templates/list",
  prompt: "prompts/list",
};
const SESSION = "2025-11-25";
const STATELESS = "2026-07-28";

const tool = (schema: string, more = "") => `{"name":"t","inputSchema":${schema}${more}}`;

function sound(kind: ListKind, text: string, revision = SESSION): ListEntry {
  const judged = judgeEntry(kind, text, revision);
  if (isRefused(judged)) throw new Error(`${text}: ${judged.reason}`);
  return judged;
}

Deno.test("judgeEntry() repairs what has one meaning, and keeps every other word", () => {
  const cases: [kind: ListKind, text: string, repaired: string][] = [
    ["tool", '{"name":"t", "x":1.0}', '{"inputSchema":{"type":"object"},"name":"t", "x":1.0}'],
    ["tool", tool("{}"), tool('{"type":"object"}')],
    ["tool", tool("null"), tool('{"type":"object"}')],
    ["tool", tool("true"), tool('{"type":"object"}')],
    ["tool", tool('{"anyOf":[{"x":1e400}]}'), tool('{"type":"object","anyOf":[{"x":1e400}]}')],
    ["tool", tool('{"type":["object","null"],"a":1}'), tool('{"type":"object","a":1}')],
    [
      "tool",
      tool('{"type":"object","properties":null,"required":null}'),
      tool('{"type":"object"}'),
    ],
    ["tool", tool('{"type":"object","properties":[]}'), tool('{"type":"object","properties":{}}')],
    [
      "tool",
      tool('{"type":"object","properties":{"a":null,"b":{"k":1.0}}}'),
      tool('{"type":"object","properties":{"a":{},"b":{"k":1.0}}}'),
    ],
    [
      "tool",
      tool('{"type":"object"}', ',"description":null,"title":null,"annotations":null,"outputSchema":null'),
      tool('{"type":"object"}'),
    ],
    [
      "tool",
      tool('{"type":"object"}', ',"annotations":{"title":null, "readOnlyHint":true}'),
      tool('{"type":"object"}', ',"annotations":{"readOnlyHint":true}'),
    ],
    [
      "tool",
      tool('{"type":"object"}', ',"outputSchema":{"properties":{}}'),
      tool('{"type":"object"}', ',"outputSchema":{"type":"object","properties":{}}'),
    ],
    ["resource", '{"uri":"a:b"}', '{"name":"a:b","uri":"a:b"}'],
    ["template", '{"uriTemplate":"a:{b}","name":null}', '{"uriTemplate":"a:{b}","name":"a:{b}"}'],
    ["prompt", '{"name":"p","arguments":null}', '{"name":"p"}'],
    [
      "prompt",
      '{"name":"p","description":"\\ud83d \\\\ud83d \\ud83d\\ude00"}',
      '{"name":"p","description":"\\ufffd \\\\ud83d \\ud83d\\ude00"}',
    ],
  ];
  for (const [kind, text, repaired] of cases) {
    assertEquals([text, sound(kind, text).text], [text, repaired]);
    assertEquals(sound(kind, text).losses, [], text);
  }
});

Deno.test("judgeEntry() drops hints that a client cannot read, and says so", () => {
  const cases: [kind: ListKind, text: string, left: string, losses: string[]][] = [
    [
      "tool",
      tool('{"type":"object"}', ',"annotations":{"readOnlyHint":"yes","x":1},"_meta":[]'),
      tool('{"type":"object"}', ',"annotations":{"x":1}'),
      ['"_meta" must be an object', '"annotations.readOnlyHint" must be true or false'],
    ],
    [
      "tool",
      tool('{"type":"object"}', ',"icons":[{"src":1},{"src":"a", "sizes":"1x1"}],"outputSchema":[]'),
      tool('{"type":"object"}', ',"icons":[{"src":"a"}]'),
      [
        '"icons[0].src" must be a string',
        '"icons[0]" must be an object',
        '"icons[1].sizes" must be a list, each a string',
        '"outputSchema" must be a JSON Schema',
      ],
    ],
    [
      "resource",
      '{"uri":"a:b","name":"n","size":1.5,"annotations":{"lastModified":"2026-01-01","priority":1}}',
      '{"uri":"a:b","name":"n","annotations":{"priority":1}}',
      [
        '"annotations.lastModified" must be an ISO 8601 time with seconds and offset',
        '"size" must be a whole number',
      ],
    ],
  ];
  for (const [kind, text, left, losses] of cases) {
    const judged = sound(kind, text);
    assertEquals([judged.text, judged.losses.toSorted()], [left, losses.toSorted()]);
  }
});

Deno.test("judgeEntry() refuses what has no certain meaning, and says why", () => {
  const cases: [kind: ListKind, text: string, words: string][] = [
    ["tool", "null", "it is not an object"],
    ["tool", '"t"', "it is not an object"],
    ["tool", '{"inputSchema":{}}', 'it has no "name"'],
    ["tool", '{"name":5}', 'it has no "name"'],
    ["tool", '{"name":""}', 'it has no "name"'],
    ["tool", tool("[]"), '"inputSchema" must be a JSON Schema of type "object"'],
    ["tool", tool('"object"'), '"inputSchema" must be'],
    ["tool", tool("false"), '"inputSchema" must be'],
    ["tool", tool('{"type":"objekt"}'), '"inputSchema" must be'],
    ["tool", tool('{"type":["string"]}'), '"inputSchema" must be'],
    ["tool", tool('{"type":"object","properties":{"a":5}}'), '"inputSchema" must be'],
    // The SDK for JavaScript does not read a member of this name. The one for Python does.
    ["tool", tool('{"type":"object","properties":{"__proto__":"user"}}'), '"inputSchema" must be'],
    ["tool", tool('{"type":"object","required":[1]}'), '"inputSchema" must be'],
    ["tool", tool(`{"type":"object","x":${"[".repeat(190)}${"]".repeat(190)}}`), "nested deeper than 190"],
    ["tool", tool(`{"type":"object","x":${"9".repeat(4_301)}}`), "more than 4300 digits"],
    ["tool", '{"name":"a\\u0000b"}', "a NUL character"],
    ["tool", '{"name":"a\\ud800b"}', "half a character"],
    ["resource", `{"uri":"a:${"ü".repeat(1_024)}"}`, "longer than 2048 bytes"],
    ["resource", '{"name":"n"}', 'it has no "uri"'],
    ["template", '{"name":"n","uri":"a:b"}', 'it has no "uriTemplate"'],
    ["prompt", '{"name":"p","arguments":{}}', '"arguments" must be a list'],
    ["prompt", '{"name":"p","arguments":[{"description":"d"}]}', '"arguments" must be a list'],
  ];
  for (const [kind, text, words] of cases) {
    const judged = judgeEntry(kind, text, SESSION);
    if (!isRefused(judged)) throw new Error(`${text}: not refused`);
    assertEquals(judged.reason.includes(words), true, `${text}: ${judged.reason}`);
  }
});

Deno.test("judgeEntry() tells apart what only 2026-07-28 allows", () => {
  const array = tool(
    '{"type":"object"}',
    ',"outputSchema":{"type":"array", "items":{"maximum":18446744073709551615}}',
  );
  assertEquals(sound("tool", array, STATELESS), {
    key: "t",
    text: array,
    sessionText: tool(
      '{"type":"object"}',
      ',"outputSchema":{"type":"object","properties":{"result":{"type":"array", "items":{"maximum":18446744073709551615}}},"required":["result"]}',
    ),
    losses: [],
  });
  const booleans = tool('{"type":"object","properties":{"a":true,"b":false,"c":{"d":true}}}');
  const judged = sound("tool", booleans, STATELESS);
  assertEquals(judged.text, booleans);
  assertEquals(
    judged.sessionText,
    tool('{"type":"object","properties":{"a":{},"b":{"not":{}},"c":{"d":true}}}'),
  );
  const headers = tool('{"type":"object","properties":{"a":{"type":"array","x-mcp-header":"a"}}}');
  assert(isRefused(judgeEntry("tool", headers, STATELESS)));
  assert(!isRefused(judgeEntry("tool", headers, SESSION)));
});

/** Whether the SDK reads a list of this entry alone. */
async function accepts(parser: ListParser, kind: ListKind, text: string): Promise<boolean> {
  return await parser.parse(METHODS[kind], [text]).then(() => true, () => false);
}

for (const kind of Object.keys(ENTRIES) as ListKind[]) {
  Deno.test(`judgeEntry() of any ${kind}: what passes is read by every SDK, and what all of them read passes as it is`, async () => {
    const parsers = await sdkParsers();
    await fc.assert(
      fc.asyncProperty(ENTRIES[kind], fc.constantFrom(SESSION, STATELESS), async (value, revision) => {
        const text = JSON.stringify(value);
        const judged = judgeEntry(kind, text, revision);
        // A member "__proto__" is not read by these parsers, but by others, and under any other name by these too.
        const whole = text.replaceAll('"__proto__"', '"proto"');
        const isReadRaw = (await Promise.all(parsers.map((parser) => accepts(parser, kind, whole))))
          .every((reads) => reads);
        if (isRefused(judged)) {
          return void assert(judged.name === "" || !isReadRaw, `refused: ${judged.reason}`);
        }
        for (const parser of parsers) {
          const own = parser.isSessionless ? judged.text : judged.sessionText ?? judged.text;
          assert(await accepts(parser, kind, own), `${parser.name} refuses ${own}`);
        }
      }),
      { numRuns: 300 },
    );
  });
}

Deno.test("judgeEntry() takes linear time", () => {
  const many = (word: string, count: number) =>
    Array.from({ length: count }, (_, i) => word.replaceAll("N", String(i))).join(",");
  const chain = (n: number) => Array.from({ length: n }, (_, i) => `{"$ref":"#/anyOf/${i + 1}"}`).join(",");
  const texts = (n: number) => [
    tool(`{"type":"object","properties":{${many('"pN":true', n)}}}`),
    tool(`{"type":"object","properties":{${many('"pN":null', n)}}}`),
    tool('{"type":"object"}', `,"icons":[${many('{"src":N}', n)}]`),
    tool('{"type":"object"}', `,"outputSchema":{"anyOf":[${chain(n)},true]}`),
    tool('{"type":"object"}', `,"outputSchema":{"type":"object","allOf":[${chain(n)},{"$ref":"#"}]}`),
    tool('{"type":"object"}', `,"x":"${"\\ud800\\\\".repeat(n)}"`),
    tool('{"type":"object"}', `,"x":"${("1".repeat(4_300) + "x").repeat(n / 1_000)}"`),
    `{"name":"p","arguments":[${many('{"name":"N","required":N}', n)}]}`,
    `{"name":"p",${many('"name":"N","title":null', n)}}`,
  ];
  // Processor time, since the machine may have other work; the least of several, since garbage is collected in between.
  const measure = (text: string) => {
    const kind = text.includes("inputSchema") ? "tool" : "prompt";
    const times = Array.from({ length: 3 }, () => {
      const from = process.cpuUsage();
      judgeEntry(kind, text, STATELESS);
      return process.cpuUsage(from).user;
    });
    return Math.min(...times);
  };
  const [small, large] = [texts(4_000), texts(40_000)];
  for (const [i, text] of large.entries()) {
    // Ten times the text: ten times as long if linear, a hundred times if not.
    const measureRatio = () => measure(text) / Math.max(measure(small[i]!), 5_000);
    // Other programs displace the caches now and then. What takes quadratic time does so each time.
    let ratio = measureRatio();
    for (let again = 0; again < 3 && ratio >= 40; again++) ratio = measureRatio();
    assert(ratio < 40, `${Math.round(ratio)} times as long: ${text.slice(0, 100)}`);
  }
});

Deno.test("judgeEntry() tells the first losses of an entry one by one, and counts the others", () => {
  const icons = JSON.stringify(Array.from({ length: 1_000 }, () => ({ src: 1 })));
  const judged = judgeEntry(
    "tool",
    `{"name":"t","inputSchema":{"type":"object"},"icons":${icons}}`,
    "2025-11-25",
  );
  if (isRefused(judged)) throw new Error(judged.reason);
  // Each icon, and its source.
  assertEquals([judged.losses.length, judged.losses.at(-1)], [21, "1980 further parts were left out"]);
  assertEquals(judged.losses[1], '"icons[0]" must be an object');
});
