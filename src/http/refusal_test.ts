import { assertEquals } from "@std/assert";
import { REFUSALS, SessionRefusals } from "./refusal.ts";

function setUp() {
  const reading: Request[] = [];
  const pending: (() => void)[] = [];
  const refusals = new SessionRefusals((request) => {
    reading.push(request);
    return new Promise((resolve) => pending.push(() => resolve(request.text())));
  }, (id) => /^[a-z]+-\d+$/.test(id) ? id.split("-")[0]! : null);
  const refuse = async (sessionId?: string, headers: Record<string, string> = {}) => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 5, method: "ping" });
    const session: Record<string, string> = sessionId === undefined ? {} : { "mcp-session-id": sessionId };
    const request = new Request("http://x/mcp", {
      method: "POST",
      body,
      headers: { "content-length": String(body.length), ...session, ...headers },
    });
    const response = await refusals.refuse(request, REFUSALS.OVERLOADED);
    return response === null ? null : (await response.json()).error.data.code;
  };
  return { refuse, reading, finish: () => pending.splice(0).forEach((each) => each()) };
}

Deno.test("SessionRefusals reads no body of strangers: sessions tell clients from them", async () => {
  const { refuse, reading, finish } = setUp();
  for (const id of [undefined, "", "forged", "a".repeat(72)]) assertEquals(await refuse(id), null);
  assertEquals(await refuse("ann-1", { "content-length": "65537" }), null);
  assertEquals(reading.length, 0);
  const anns = refuse("ann-1");
  finish();
  assertEquals(await anns, "OVERLOADED");
});

Deno.test("SessionRefusals reads 64 bodies at once, of them 16 of one owner, and goes on when they are read", async () => {
  const { refuse, reading, finish } = setUp();
  const all = Array.from({ length: 20 }, (_, n) => refuse(`eve-${n}`));
  for (const owner of ["ann", "bob", "cyd", "dan"]) {
    for (let n = 0; n < 14; n++) all.push(refuse(`${owner}-${n}`));
  }
  assertEquals(reading.length, 64);
  assertEquals(await refuse("fay-1"), null);
  finish();
  const answers = await Promise.all(all);
  assertEquals(answers.filter((each) => each === "OVERLOADED").length, 64);
  const later = refuse("eve-1");
  finish();
  assertEquals(await later, "OVERLOADED");
});
