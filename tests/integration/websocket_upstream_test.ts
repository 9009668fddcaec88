// WebSocket upstreams that behave, and those that do not.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { operatorText } from "../../src/base/seen_answer.ts";
import { SluiceError } from "../../src/base/errors.ts";
import { DuplexPeer, failureOf } from "../support/duplex_peer.ts";
import { beforeTimer } from "../support/pace.ts";
import { makeSelfSigned } from "../support/self_signed.ts";
import { waitFor } from "../support/wait_for.ts";
import { serveWebSocket } from "../support/websocket_peer.ts";

const CALL = { timeoutMs: 3_000, timeoutSetting: "A_SETTING" };

Deno.test("A WebSocket session carries its headers, works with and without the subprotocol, and closes the socket", async () => {
  await using peer = new DuplexPeer();
  for (const protocol of ["mcp", undefined]) {
    await using server = serveWebSocket({ protocol });
    const session = await peer.open({
      transport: "WEBSOCKET",
      url: server.url,
      headers: [["authorization", "Bearer ours"], ["x-tenant-id", "standing"]],
    }, { passed: [["x-tenant-id", "caller's"]] });
    const answers = await Promise.all(
      [1, 2, 3].map((n) => session.request("tools/call", `{"n":${n}}`, CALL)),
    );
    assertEquals(answers.map(({ text }) => text), Array(3).fill('{"ok":true}'));
    const headers = server.seen.at(-1)!;
    assertEquals([headers.get("authorization"), headers.get("x-tenant-id")], ["Bearer ours", "caller's"]);
    assertEquals([server.seen[0]!.get("sec-websocket-protocol"), session.transfer()], ["mcp", null]);
    await session.close();
    await waitFor(() => server.state.open === 0, { what: "the socket to be closed" });
  }
});

Deno.test("A WebSocket upstream that refuses, hangs or is not there says what it was", async () => {
  await using peer = new DuplexPeer();
  for (const [status, code] of [[401, "UPSTREAM_AUTH_FAILED"], [404, "UPSTREAM_HTTP_ERROR"]] as const) {
    await using server = serveWebSocket({ refuse: () => new Response("no", { status }) });
    const failure = await failureOf(peer.open({ transport: "WEBSOCKET", url: server.url }));
    assertEquals([failure.code, failure.params.status], [code, status]);
    const said = await peer.open({ transport: "WEBSOCKET", url: server.url }).then(() => "", operatorText);
    assertStringIncludes(said, `HTTP ${status}, text/plain: "no"`);
  }
  const gone = serveWebSocket();
  await gone[Symbol.asyncDispose]();
  assertEquals(
    (await failureOf(peer.open({ transport: "WEBSOCKET", url: gone.url }))).code,
    "UPSTREAM_CONNECT_FAILED",
  );

  let letGo = () => {};
  const hanging = new Promise<Response>((resolve) => letGo = () => resolve(new Response(null)));
  await using server = serveWebSocket({ refuse: () => hanging });
  const open = (more: { timeoutMs?: number; signal?: AbortSignal }) =>
    peer.open({ transport: "WEBSOCKET", url: server.url }, more);
  const late = await beforeTimer(2_000, () => failureOf(open({ timeoutMs: 200 })));
  assertEquals([late.code, late.params.timeoutMs], ["UPSTREAM_TIMEOUT", 200]);
  const cancelled = await beforeTimer(
    2_000,
    () => open({ signal: AbortSignal.timeout(100) }).catch((error) => error),
  );
  assertEquals(cancelled.name, "TimeoutError");
  letGo();
});

Deno.test("A WebSocket upstream that sends something else than messages is quoted, without our secrets", async () => {
  await using peer = new DuplexPeer();
  await using server = serveWebSocket({
    onMessage: (socket) => {
      for (const text of ["welcome hush-hush-1", "5"]) socket.send(text);
      return true;
    },
  });
  const headers = [["authorization", "Bearer hush-hush-1"]] as const;
  const said = await peer.open({ transport: "WEBSOCKET", url: server.url, headers }, { timeoutMs: 1_500 })
    .then(() => "", operatorText);
  assertStringIncludes(said, '; it sent something else than MCP messages: "welcome ***"');
});

Deno.test("A WebSocket is opened only to an address that may be connected to, whatever its name", async () => {
  const checked: string[] = [];
  await using peer = new DuplexPeer({
    checkAddress: (host, ip) => {
      checked.push(`${host} ${ip.replace("::1", "127.0.0.1")}`);
      throw new SluiceError("EGRESS_DENIED", { reason: `refused "${host}"` });
    },
  });
  await using server = serveWebSocket();
  const named = new URL(server.url);
  named.hostname = "localhost";
  for (const url of [server.url, named, new URL(`ws://[::1]:${server.url.port}/`)]) {
    assertEquals((await failureOf(peer.open({ transport: "WEBSOCKET", url }))).code, "EGRESS_DENIED");
  }
  assertEquals(checked, ["127.0.0.1 127.0.0.1", "localhost 127.0.0.1", "::1 127.0.0.1"]);
  assertEquals(server.seen.length, 0);
});

Deno.test("A WebSocket session ends with its socket, and with a message beyond the size limit", async () => {
  await using peer = new DuplexPeer();
  const onCall = (what: (socket: WebSocket) => void) =>
    serveWebSocket({ onMessage: (socket, text) => text.includes("tools/call") && (what(socket), true) });
  {
    await using server = onCall((socket) => socket.close());
    const session = await peer.open({ transport: "WEBSOCKET", url: server.url });
    const { code, params } = await failureOf(session.request("tools/call", "{}", CALL));
    assertEquals([code, params.sent, session.closed], ["UPSTREAM_CLOSED", 1, true]);
  }
  await using server = onCall((socket) => socket.send("x".repeat(20_000)));
  const session = await peer.open({ transport: "WEBSOCKET", url: server.url });
  const { code } = await failureOf(session.request("tools/call", "{}", CALL));
  assertEquals(code, "UPSTREAM_RESPONSE_TOO_LARGE");
  await waitFor(() => session.closed && server.state.open === 0, { what: "the socket to be closed" });
});

Deno.test("A WebSocket over TLS trusts the upstream's own certificate authority, and no stranger", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sluice_wss_" });
  const { certFile, keyFile } = await makeSelfSigned(folder, "upstream");
  const [cert, key] = [await Deno.readTextFile(certFile), await Deno.readTextFile(keyFile)];
  await using peer = new DuplexPeer();
  await using server = serveWebSocket({ tls: { cert, key } });
  const target = { transport: "WEBSOCKET", url: server.url } as const;
  const { code } = await failureOf(peer.open(target));
  assertEquals([code, server.seen.length], ["UPSTREAM_TLS_FAILED", 0]);
  const session = await peer.open({ ...target, caCertificate: cert });
  assertEquals((await session.request("tools/call", "{}", CALL)).text, '{"ok":true}');
  await session.close();
  // The name of the URL is what the certificate is compared with, not the address that it stands for.
  const named = new URL(server.url);
  named.hostname = "localhost";
  await (await peer.open({ ...target, url: named, caCertificate: cert })).close();
  assertEquals(server.seen.at(-1)!.get("host"), named.host);
  await Deno.remove(folder, { recursive: true });
});
