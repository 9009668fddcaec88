// A web page whose name leads to loopback (DNS rebinding) reaches a gateway that listens there only by a name that is not the gateway's.
// Deno.serve shows the name of HTTP/2 and of an absolute request target in the URL, beside a Host header. It shows nothing of line ends,
// and gives a request of HTTP/1.1 without Host the name of the listener, like a request of HTTP/2 for that name: neither can be refused.
import { assertEquals, assertStringIncludes } from "@std/assert";
import http2 from "node:http2";
import { RawConnection } from "../support/raw_http.ts";
import { Sluice } from "../support/sluice.ts";

async function answerOver1(port: number, target: string, ...headers: string[]): Promise<string> {
  using connection = await RawConnection.open(port);
  const head = [`GET ${target} HTTP/1.1`, ...headers, "connection: close", "", ""].join("\r\n");
  await connection.send(new TextEncoder().encode(head));
  return new TextDecoder().decode(await connection.sendEnd());
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
}

async function statusOver2(port: number, names: Record<string, string>): Promise<number> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  try {
    return await new Promise<number>((resolve, reject) => {
      session.once("error", reject);
      const stream = session.request({ ":path": "/health", ...names });
      stream.once("response", (headers) => resolve(Number(headers[":status"])));
      stream.once("error", reject);
      stream.resume();
    });
  } finally {
    session.destroy();
  }
}

Deno.test("a foreign name is refused wherever a request says it, beside a loopback name too", async () => {
  await using sluice = await Sluice.start({ env: { HOST: "127.0.0.1" } });
  const { port } = sluice;
  const over1 = async (...request: [target: string, ...headers: string[]]) =>
    statusOf(await answerOver1(port, ...request));
  const local = `127.0.0.1:${port}`;
  assertEquals(await over1("/health", `host: ${local}`), 200);
  assertEquals(await over1("/health", "host: evil.test"), 403);
  assertEquals(await over1("http://evil.test/health", `host: ${local}`), 403);
  assertEquals(await over1(`http://${local}/health`, "host: evil.test"), 403);
  assertEquals(await statusOver2(port, { ":authority": local }), 200);
  assertEquals(await statusOver2(port, { ":authority": "evil.test" }), 403);
  assertEquals(await statusOver2(port, { ":authority": "evil.test", host: local }), 403);
  assertEquals(await statusOver2(port, { ":authority": local, host: "evil.test" }), 403);
});

Deno.test("a Host that is none gets 400 from the gateway, and what Deno cannot read gets a bare 400", async () => {
  await using sluice = await Sluice.start({ env: { HOST: "0.0.0.0" } });
  const ask = (target: string, ...headers: string[]) => answerOver1(sluice.port, target, ...headers);
  for (const target of ["/health", "/tools", "/version"]) {
    const answer = await ask(target, "host: a b", "x-correlation-id: mine");
    assertEquals([statusOf(answer), /^x-correlation-id: mine\r$/m.test(answer)], [400, true], answer);
    assertStringIncludes(answer, "the Host header names no host");
  }
  const bare = [await ask("/health and more", "host: a"), await ask("/health", "host: a", "host: b")];
  for (const answer of bare) {
    assertEquals([statusOf(answer), /x-correlation-id/i.test(answer)], [400, false], answer);
  }
  // As for HTTP/1.0 and HTTP/2, which Deno.serve shows in the same way.
  assertEquals(statusOf(await ask("/health")), 200);
});
