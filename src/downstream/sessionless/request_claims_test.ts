import { assertEquals } from "@std/assert";
import { mayBeSessionless } from "./request_claims.ts";

Deno.test("mayBeSessionless() sees a claim by the header or in the body, however its slash is written", () => {
  const claim = (key: string) => `{"params":{"_meta":{"${key}":"2026-07-28"}}}`;
  const key = "io.modelcontextprotocol/protocolVersion";
  const cases: [protocolVersion: string | null, body: string, isSessionless: boolean][] = [
    ["2026-07-28", "{}", true],
    [null, claim(key), true],
    [null, claim(key.replace("/", "\\/")), true],
    ["2025-11-25", '{"method":"initialize","params":{"protocolVersion":"2025-11-25"}}', false],
  ];
  for (const [protocolVersion, body, isSessionless] of cases) {
    assertEquals(mayBeSessionless({ protocolVersion, body }), isSessionless, body);
  }
});
