// What passes the rules for list entries is read by the official Python SDK, in every revision.
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isRefused, judgeEntry, type ListKind } from "../../src/mcp/list_entries.ts";
import { ENTRIES } from "../support/faulty_entries.ts";
import { LIST_KEYS, type ListMethod, type PythonList, readByPython } from "../support/sdk_parsers.ts";

const METHODS: Readonly<Record<ListKind, ListMethod>> = {
  tool: "tools/list",
  resource: "resources/list",
  template: "resources/templates/list",
  prompt: "prompts/list",
};

const SESSION = "2025-11-25";
const STATELESS = "2026-07-28";

function listOf(method: ListMethod, revision: string, entry: string): PythonList {
  const result = `{"${
    LIST_KEYS[method]
  }":[${entry}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}`;
  return { method, revision, result };
}

Deno.test("Every entry that may stand in a list is read by the Python SDK", async () => {
  const texts: [ListKind, string][] = (Object.keys(ENTRIES) as ListKind[]).flatMap((kind) =>
    fc.sample(ENTRIES[kind], 3_000).map((value): [ListKind, string] => [kind, JSON.stringify(value)])
  );
  for (const depth of [150, 185, 186, 188, 190, 195, 200]) {
    texts.push([
      "tool",
      `{"name":"t","inputSchema":{"type":"object","x":${"[".repeat(depth)}${"]".repeat(depth)}}}`,
    ]);
    const array = `{"type":"array","items":${'{"items":'.repeat(depth - 4)}{}${"}".repeat(depth - 4)}}`;
    texts.push(["tool", `{"name":"t","outputSchema":${array}}`]);
  }
  for (const digits of [4_000, 4_299, 4_300, 4_301]) {
    texts.push(["tool", `{"name":"t","inputSchema":{"type":"object","x":${"9".repeat(digits)}}}`]);
  }
  for (
    const escape of ["\\ud800", "\\udc00", "\\ud83d\\ude00", "\\ud800\\ud800", "\\\\ud800", "\\ude00\\ud83d"]
  ) {
    texts.push(["prompt", `{"name":"p","description":"a${escape}b","x":{"a${escape}b":1}}`]);
  }
  const lists: PythonList[] = [];
  for (const [kind, text] of texts) {
    for (const upstream of [SESSION, STATELESS]) {
      const judged = judgeEntry(kind, text, upstream);
      if (isRefused(judged)) continue;
      lists.push(listOf(METHODS[kind], STATELESS, judged.text));
      lists.push(listOf(METHODS[kind], SESSION, judged.sessionText ?? judged.text));
    }
  }
  const verdicts = await readByPython(lists);
  assertEquals(verdicts.length, lists.length);
  const refused = verdicts.flatMap((verdict, i) =>
    verdict === "ok" ? [] : [`${verdict}: ${lists[i]!.result.slice(0, 500)}`]
  );
  assertEquals(refused.slice(0, 5), []);
  assertEquals(lists.length > 5_000, true, `only ${lists.length} were sound`);
});
