// The upstream of bridges that take a program: the same tools and answers as tests/support/fast_upstream.ts, over stdio.
import { answerTo } from "../../tests/support/fast_upstream.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
let rest = "";

for await (const chunk of Deno.stdin.readable) {
  const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
  rest = lines.pop()!;
  const answers = lines.flatMap((line) => {
    if (line.trim() === "") return [];
    const { id, method, params = {} } = JSON.parse(line);
    return id === undefined
      ? []
      : [`${JSON.stringify({ jsonrpc: "2.0", id, ...answerTo(method, params) })}\n`];
  });
  if (answers.length > 0) await writeAll(encoder.encode(answers.join("")));
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}
