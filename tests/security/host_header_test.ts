// A web page whose name leads to loopback (DNS rebinding) reaches a gateway that listens there only by a name that is not the gateway's.
// Deno.serve shows the name of HTTP/2 and of an absolute request target in the URL, beside a Host header. It shows nothing of line ends,
// and gives a request of HTTP/1.1 without Host the name of the listener, like a request of HTTP/2 for that name: neither can be refused.
import { assertEquals } from "@std/assert";
import http2 from "node:http2";
import { RawConnection } from "../support/raw_http.ts";
import { Sluice } from "../support/sluice.ts";

async function statusOver1(port: number, head: string): Promise<number> {
  using connection = await RawConnection.open(port);
  await connection.send(new TextEncoder().encode(head));
  const text = new TextDecoder().decode(await connection.sendEnd());
  return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
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
  const over1 = (target: string, ...headers: string[]) =>
    statusOver1(port, [`GET ${target} HTTP/1.1`, ...headers, "connection: close", "", ""].join("\r\n"));
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
