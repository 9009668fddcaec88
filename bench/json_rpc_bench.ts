// The envelope of a call: parse and classify the request, rename the tool in its text, splice the result into the response.
import {
  classify,
  memberText,
  parseJson,
  replaceMember,
  requestText,
  resultText,
} from "../src/mcp/json_rpc.ts";

const small = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: {
    name: "demo-convert-time",
    arguments: { time: "09:00", source_timezone: "Europe/Berlin", target_timezone: "Europe/Dublin" },
  },
});
const smallParams = memberText(small, "params")!;
const largeResult = JSON.stringify({
  content: Array.from(
    { length: 200 },
    (_, i) => ({ type: "text", text: `line ${i}: "quoted" and plain words` }),
  ),
});
const largeReply = resultText("1", largeResult);

Deno.bench("request: parse and classify", { group: "envelope", baseline: true }, () => {
  classify(parseJson(small, 30), small);
});

Deno.bench("request: rename the tool, renumber", { group: "envelope" }, () => {
  requestText(7, "tools/call", replaceMember(memberText(small, "params")!, "name", '"convert_time"'));
});

Deno.bench("request: the same by JSON.stringify", { group: "envelope" }, () => {
  const { params } = JSON.parse(small);
  JSON.stringify({
    jsonrpc: "2.0",
    id: 7,
    method: "tools/call",
    params: { ...params, name: "convert_time" },
  });
});

Deno.bench("small params: JSON.parse alone", { group: "envelope" }, () => {
  JSON.parse(smallParams);
});

Deno.bench(`result of ${largeReply.length} characters: splice`, { group: "result", baseline: true }, () => {
  resultText('"client-id"', memberText(largeReply, "result")!);
});

Deno.bench(`result of ${largeReply.length} characters: parse and stringify`, { group: "result" }, () => {
  const { result } = JSON.parse(largeReply);
  JSON.stringify({ jsonrpc: "2.0", id: "client-id", result });
});
