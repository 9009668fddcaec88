import { assertEquals } from "@std/assert";
import { ProgressTokens } from "./progress_tokens.ts";

Deno.test("ProgressTokens keeps the tokens of a connection's newest 1,000 tasks", () => {
  const tokens = new ProgressTokens();
  for (let id = 1; id <= 1_001; id++) tokens.answered(id, { result: { task: {} } }, `"${id}"`);
  assertEquals([1, 2, 1_001].map((id) => tokens.ofTask(id)), [undefined, '"2"', '"1001"']);
});
