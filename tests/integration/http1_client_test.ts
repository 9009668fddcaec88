// The upstream HTTP/1.1 client against a server that frames its answers badly, oddly, or byte by byte.

import { assert, assertEquals } from "@std/assert";
import {
  answering,
  answeringOnce,
  clientOf,
  get,
  HELLO,
  OK,
  post,
  rejects,
  startHostile,
  textOf,
  write,
} from "../support/http1_hostile.ts";

for (
  const [what, wire, code] of [
    [
      "two equal lengths",
      `${OK}content-length: 5\r\ncontent-length: 5\r\n\r\nhello`,
      "UPSTREAM_PROTOCOL_ERROR",
    ],
    ["two lengths", `${OK}content-length: 5\r\ncontent-length: 50\r\n\r\nhello`, "UPSTREAM_PROTOCOL_ERROR"],
    ["a list of lengths", `${OK}content-length: 5, 5\r\n\r\nhello`, "UPSTREAM_PROTOCOL_ERROR"],
    ["a negative length", `${OK}content-length: -5\r\n\r\nhello`, "UPSTREAM_PROTOCOL_ERROR"],
    [
      "length and chunks",
      `${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      "UPSTREAM_PROTOCOL_ERROR",
    ],
    [
      "chunks in HTTP/1.0",
      "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      "UPSTREAM_PROTOCOL_ERROR",
    ],
    ["a folded header", `${OK}x: a\r\n b\r\ncontent-length: 5\r\n\r\nhello`, "UPSTREAM_PROTOCOL_ERROR"],
    ["bare line feeds", "HTTP/1.1 200 OK\ncontent-length: 5\n\nhello", "UPSTREAM_PROTOCOL_ERROR"],
    ["NUL in the head", `${OK}x: a\0b\r\ncontent-length: 5\r\n\r\nhello`, "UPSTREAM_PROTOCOL_ERROR"],
    ["half a head", `${OK}content-le`, "UPSTREAM_PROTOCOL_ERROR"],
    ["a switch of protocols", "HTTP/1.1 101 X\r\nupgrade: x\r\n\r\n", "UPSTREAM_PROTOCOL_ERROR"],
    [
      "a bad chunk size",
      `${OK}transfer-encoding: chunked\r\n\r\nfive\r\nhello\r\n0\r\n\r\n`,
      "UPSTREAM_PROTOCOL_ERROR",
    ],
    [
      "a short chunk size",
      `${OK}transfer-encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n`,
      "UPSTREAM_PROTOCOL_ERROR",
    ],
    [
      "a huge chunk size",
      `${OK}transfer-encoding: chunked\r\n\r\nfffffffffffff\r\nhello`,
      "UPSTREAM_PROTOCOL_ERROR",
    ],
    ["a truncated chunk", `${OK}transfer-encoding: chunked\r\n\r\n50\r\nhello`, "UPSTREAM_CLOSED"],
    ["no last chunk", `${OK}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`, "UPSTREAM_CLOSED"],
    ["a truncated body", `${OK}content-length: 50\r\n\r\nhello`, "UPSTREAM_CLOSED"],
    ["nothing", "", "UPSTREAM_CLOSED"],
  ] as const
) {
  Deno.test(`Http1Client refuses ${what} and drops the connection`, async () => {
    await using server = await startHostile(answeringOnce(wire));
    using client = clientOf();
    const error = await rejects(() => textOf(client.send(post(server.url, "{}"))), code);
    if (code === "UPSTREAM_CLOSED") assertEquals(error.params.sent, 1);
    assertEquals([client.stats.open, server.seen.requests], [0, 1]);
  });
}

for (
  const [what, wire, text] of [
    ["a fixed body", HELLO, "hello"],
    [
      "interim answers first",
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nlink: a\r\n\r\n${HELLO}`,
      "hello",
    ],
    [
      "chunks with extensions and trailers",
      `${OK}Transfer-Encoding: Chunked\r\n\r\n2;a="b"\r\nhe\r\n03\r\nllo\r\n0;x\r\nx-sum: 1\r\n\r\n`,
      "hello",
    ],
    ["two-byte characters", `${OK}content-length: 6\r\n\r\n\xc3\xa9\xc3\xa9\xc3\xa9`, "ééé"],
  ] as const
) {
  Deno.test(`Http1Client reads ${what} byte by byte, and keeps the connection`, async () => {
    await using server = await startHostile(async (conn, request) => {
      while (await request() !== "") {
        for (const byte of wire) {
          await write(conn, byte);
          await new Promise((resolve) => setTimeout(resolve));
        }
      }
    });
    using client = clientOf();
    for (let i = 0; i < 2; i++) assertEquals(await textOf(client.send(post(server.url, "{}"))), text);
    assertEquals([client.stats.created, client.stats.idle], [1, 1]);
  });
}

for (
  const [what, wire, text] of [
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"],
    ["connection: close", `${OK}connection: close\r\ncontent-length: 5\r\n\r\nhello`, "hello"],
    ["bytes after the answer", `${HELLO}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`, "hello"],
    ["a 204 that announces a body", "HTTP/1.1 204 X\r\ncontent-length: 5\r\n\r\n", ""],
  ] as const
) {
  Deno.test(`Http1Client uses no connection again after ${what}, though the server would`, async () => {
    await using server = await startHostile(answering(wire));
    using client = clientOf();
    for (let i = 0; i < 2; i++) {
      assertEquals(await textOf(client.send(post(server.url, "{}"))), text);
      assertEquals([client.stats.open, client.stats.created], [0, i + 1]);
    }
  });
}

Deno.test("Http1Client reads a body up to the end of the stream where nothing else frames it", async () => {
  await using server = await startHostile(answeringOnce(`${OK}\r\nhello`));
  using client = clientOf();
  assertEquals(await textOf(client.send(post(server.url, "{}"))), "hello");
  assertEquals(client.stats.open, 0);
});

for (
  const [what, wire, fault] of [
    ["an endless head", OK + `x: ${"y".repeat(100)}\r\n`.repeat(10_000), "longer than 16384 bytes"],
    ["an endless header line", OK + `x: ${"y".repeat(1_000_000)}`, "longer than 16384 bytes"],
    ["a complete head that is too long", `${OK}x: ${"y".repeat(17_000)}\r\n\r\n`, "longer than 16384 bytes"],
    ["interim answers only", "HTTP/1.1 102 X\r\n\r\n".repeat(100), "too many interim answers"],
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n", "not HTTP/1.1"],
  ] as const
) {
  Deno.test(`Http1Client does not wait for the end of ${what}`, async () => {
    await using server = await startHostile(answering(wire));
    using client = clientOf();
    const error = await rejects(() => client.send(post(server.url, "{}")), "UPSTREAM_PROTOCOL_ERROR");
    assert(String(error.params.reason).includes(fault), error.message);
    assertEquals(client.stats.open, 0);
  });
}

Deno.test("Http1Client keeps an HTTP/1.0 connection that is kept alive, and reads no body after HEAD and 304", async () => {
  const alive = "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\n";
  await using server = await startHostile(
    answering(`${alive}hello`, alive, `HTTP/1.1 304 X\r\ncontent-length: 5\r\n\r\n`, HELLO),
  );
  using client = clientOf();
  assertEquals(await textOf(client.send(get(server.url))), "hello");
  assertEquals(await textOf(client.send(get(server.url, { method: "HEAD" }))), "");
  assertEquals((await client.send(get(server.url))).status, 304);
  assertEquals(await textOf(client.send(get(server.url))), "hello");
  assertEquals(client.stats.created, 1);
});
