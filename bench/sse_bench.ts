// Event streams: an upstream's one-event reply, and a long stream in network-sized pieces.
import { encodeSseEvent, SseDecoder } from "../src/mcp/sse.ts";

const encoder = new TextEncoder();
const reply = encoder.encode(
  encodeSseEvent('{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hello"}]}}', {
    event: "message",
  }),
);
const long = encoder.encode(
  Array.from({ length: 500 }, (_, i) => encodeSseEvent(`{"n":${i}}`, { id: String(i) })).join(""),
);

Deno.bench("one-event reply", () => {
  new SseDecoder(1_000_000).push(reply);
});

Deno.bench(`500 events in pieces of 1460 bytes`, () => {
  const decoder = new SseDecoder(1_000_000);
  for (let at = 0; at < long.length; at += 1460) decoder.push(long.subarray(at, at + 1460));
});
