// The WebSocket endpoint from outside: who gets in, what ends a connection, and that nothing of it stays behind.
import { assert, assertEquals } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { INITIALIZE, toolCall } from "../support/mcp_post.ts";
import { atRest, metric, open } from "../support/metric.ts";
import { assertWithin } from "../support/pace.ts";
import { Prng } from "../support/prng.ts";
import { RANDOM_SEED } from "../support/random_seed.ts";
import { openFds } from "../support/process_stats.ts";
import { canLeaveOut } from "../support/programs.ts";
import { BINARY, CLOSE, frame, PING, PONG, RawWebSocket, TEXT } from "../support/raw_websocket.ts";
import { SlowUpstream } from "../support/slow_upstream.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const encoder = new TextEncoder();
const PING_REQUEST = '{"jsonrpc":"2.0","id":"p","method":"ping"}';
const PONG_ANSWER = { jsonrpc: "2.0", id: "p", result: {} };

/** A client behind its handshake and `initialize`. */
async function connect(sluice: Pick<Gateway, "port">, token: string): Promise<RawWebSocket> {
  const socket = await RawWebSocket.open(sluice.port, { token });
  if (socket.status !== 101) socket.close();
  assertEquals(socket.status, 101);
  await socket.say(JSON.stringify(INITIALIZE));
  assertEquals((await socket.nextMessage()).id, INITIALIZE.id);
  return socket;
}

gatewayTest("/ws lets in whom /mcp lets in, and says what it wants of others", async (start, t) => {
  await using sluice = await start();
  const token = await sluice.token();
  await sluice.api("POST", "/servers", { server: { id: "one", name: "One" } });

  const cases = [
    ["no token", {}, 401],
    ["a token in the query is none", { path: `/ws?token=${token}` }, 401],
    ["a foreign origin", { token, headers: { origin: "https://evil.example" } }, 403],
    ["no such server", { token, path: "/servers/nothing/ws" }, 404],
    ["no upgrade", { token, headers: { upgrade: "", connection: "" } }, 426],
    ["another version of the protocol", { token, headers: { "sec-websocket-version": "8" } }, 426],
    ["no key", { token, headers: { "sec-websocket-key": "" } }, 426],
    ["a virtual server", { token, path: "/servers/one/ws" }, 101],
    ["an origin of this machine", { token, headers: { origin: "http://localhost:5173" } }, 101],
  ] as const;
  for (const [what, options, status] of cases) {
    await t.step(`${what}: ${status}`, async () => {
      using socket = await RawWebSocket.open(sluice.port, options);
      assertEquals(socket.status, status);
      if (status === 426) assertEquals(socket.headers.get("upgrade"), "websocket");
    });
  }
  await t.step("a POST: 405", async () => {
    assertEquals((await sluice.api("POST", "/ws", {})).status, 405);
  });
  await t.step("the subprotocol is mcp where the client offers it, else none", async () => {
    using mcp = await RawWebSocket.open(sluice.port, {
      token,
      headers: { "sec-websocket-protocol": "soap, mcp" },
    });
    using none = await RawWebSocket.open(sluice.port, {
      token,
      headers: { "sec-websocket-protocol": "soap" },
    });
    assertEquals([mcp.status, mcp.headers.get("sec-websocket-protocol")], [101, "mcp"]);
    assertEquals([none.status, none.headers.get("sec-websocket-protocol")], [101, undefined]);
  });
  await t.step("the client's correlation id is confirmed", async () => {
    using socket = await RawWebSocket.open(sluice.port, { token, headers: { "x-correlation-id": "c-1" } });
    await socket.say('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
    assertEquals((await socket.nextMessage()).error.data.correlationId, "c-1");
  });
  await t.step({
    name: "HTTP/2: 426",
    // nginx speaks HTTP/1.1 here.
    ignore: canLeaveOut("curl") || sluice.processes.length > 1,
    fn: async () => {
      const { stdout } = await new Deno.Command("curl", {
        args: ["-s", "--http2-prior-knowledge", "-o", "-", "-w", "\n%{http_version} %{http_code}"]
          .concat(["-H", `Authorization: Bearer ${token}`, `${sluice.url}/ws`]),
      }).output();
      const [body, line] = new TextDecoder().decode(stdout).split("\n");
      assertEquals([line, JSON.parse(body!).error.data.code], ["2 426", "UPGRADE_REQUIRED"]);
    },
  });
});

gatewayTest("A WebSocket ends with the code that says why (timed)", async (start, t) => {
  await using sluice = await start({ MAX_BODY_BYTES: "4096", SSE_KEEPALIVE_INTERVAL: "1" });
  const token = await sluice.token();
  const endsWith = (code: number | null, what: string, ...frames: Uint8Array[]) =>
    t.step(`${code}: ${what}`, async () => {
      using socket = await connect(sluice, token);
      for (const bytes of frames) await socket.send(bytes);
      assertEquals(await socket.closeCode(), code);
    });
  await endsWith(1003, "a binary frame", frame(BINARY, new Uint8Array([1])));
  await endsWith(1009, "a message above MAX_BODY_BYTES", frame(TEXT, encoder.encode("x".repeat(4097))));
  await endsWith(1009, "bytes count, and not characters", frame(TEXT, encoder.encode("é".repeat(2049))));
  await endsWith(
    1009,
    "all fragments count",
    frame(TEXT, encoder.encode("x".repeat(3000)), { fin: false }),
    frame(0, encoder.encode("x".repeat(3000))),
  );
  await endsWith(1000, "the client's own close frame", frame(CLOSE, new Uint8Array([3, 232])));
  await t.step("1008: the token has expired", async () => {
    const short = await sluice.token({ expiresInSeconds: 3 });
    using socket = await connect(sluice, short);
    await socket.say(PING_REQUEST);
    assertEquals((await socket.nextMessage()).error, undefined);
    assertEquals(await socket.closeCode({ answersPings: true }), 1008);
  });
  await t.step("a client that answers no ping is gone after two intervals", async () => {
    using socket = await connect(sluice, token);
    const start = performance.now();
    const opcodes: number[] = [];
    for (let found = await socket.next(); found !== null; found = await socket.next()) {
      opcodes.push(found.opcode);
    }
    assert(opcodes.includes(PING), `${opcodes}`);
    await assertWithin(performance.now() - start, 8_000, "The end");
  });
  await atRest(sluice);
});

Deno.test("A WebSocket with a long call is neither idle nor slow, and one whose client does not read is cut off", async (t) => {
  await using slow = SlowUpstream.start({ delayMs: 5_000 });
  const env = {
    HTTP_HEADER_TIMEOUT: "1",
    HTTP_IDLE_TIMEOUT: "2",
    SSE_KEEPALIVE_INTERVAL: "30",
    WORKERS: "1",
  };
  await using sluice = await Sluice.start({ env });
  await sluice.registerUpstream("slow", slow.url);
  const token = await sluice.token();
  await t.step("it outlives the limits of HTTP", async () => {
    using socket = await connect(sluice, token);
    await socket.say(JSON.stringify(toolCall("slow-slow")));
    assertEquals((await socket.nextMessage()).result.content[0].text, "done");
    await socket.say(PING_REQUEST);
    assertEquals(await socket.nextMessage(), PONG_ANSWER);
  });
  await t.step("unread answers end it", async () => {
    using socket = await connect(sluice, token);
    // Each answer repeats its id of 60 KB; the kernel's buffers take some MB of them.
    const id = "x".repeat(60_000);
    const request = JSON.stringify({ jsonrpc: "2.0", id, method: "ping" });
    const write = async () => {
      for (let i = 0; i < 400; i++) await socket.say(request);
    };
    // Cut off, it takes nothing more.
    await write().catch(() => {});
    await waitFor(async () => await metric(sluice, "sluice_downstream_channels ") === 0, {
      what: "the session's end",
    });
    await waitFor(async () => (await open(sluice))[1] === 0, {
      what: "the connection's end",
    });
  });
});

Deno.test("WebSockets count as streams until they end, however they end", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "1", MAX_STREAMS: "3" } });
  const token = await sluice.token();
  for (let round = 0; round < 3; round++) {
    const sockets = [
      await connect(sluice, token),
      await connect(sluice, token),
      await connect(sluice, token),
    ];
    await waitFor(async () => (await open(sluice)).join() === "0,3", { what: "three to be counted" });
    using refused = await RawWebSocket.open(sluice.port, { token });
    assertEquals([refused.status, refused.headers.get("retry-after")], [503, "1"]);
    await sockets[0]!.send(frame(CLOSE, new Uint8Array([3, 232])));
    for (const socket of sockets) socket.close();
    await atRest(sluice);
  }
  // Clients that do not wait for the answer to their handshake.
  for (let i = 0; i < 50; i++) {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: sluice.port });
    const head =
      `GET /ws HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\nupgrade: websocket\r\nconnection: Upgrade` +
      `\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${btoa("0123456789abcdef")}\r\n\r\n`;
    await connection.write(encoder.encode(head));
  }
  // The last of them may arrive when those before it have gone.
  const areGone = async () => await metric(sluice, "sluice_downstream_channels ") === 0;
  await waitFor(areGone, { what: "all channels to be closed" });
  await atRest(sluice);
});

Deno.test("A recycled worker closes its WebSockets with 1012, and the next connection is its successor's", async () => {
  await using counter = CounterUpstream.start();
  await using sluice = await Sluice.start({ env: { WORKERS: "1", MAX_REQUESTS: "60" } });
  await sluice.registerUpstream("counter", counter.url);
  const token = await sluice.token();
  using socket = await connect(sluice, token);
  await socket.say(JSON.stringify(toolCall("counter-increment", {}, 7)));
  assertEquals((await socket.nextMessage()).result.content[0].text, "1");
  for (let i = 0; i < 60; i++) await sluice.rpc("ping");
  assertEquals(await socket.closeCode(), 1012);
  // In the old worker's last moment it is answered 503.
  const connected = () => connect(sluice, token).catch(() => null);
  using again = await waitFor(connected, { what: "the successor to take the connection" });
  await again.say(PING_REQUEST);
  assertEquals(await again.nextMessage(), PONG_ANSWER);
});

gatewayTest("200 WebSockets and 200 SSE streams leave no descriptor behind", async (start) => {
  await using counter = CounterUpstream.start();
  await using sluice = await start();
  await sluice.registerUpstream("counter", counter.url);
  const token = await sluice.token();
  const useSockets = () =>
    Promise.all(Array.from({ length: 50 }, async () => {
      using socket = await connect(sluice, token);
      await socket.say(JSON.stringify(toolCall("counter-increment", {}, 1)));
      assertEquals((await socket.nextMessage()).result.content[0].text, "1");
    }));
  const useStreams = () =>
    Promise.all(Array.from({ length: 50 }, async () => {
      const gone = new AbortController();
      const response = await fetch(`${sluice.url}/sse`, {
        headers: { authorization: `Bearer ${token}` },
        signal: gone.signal,
      });
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      const { value } = await reader.read();
      const endpoint = /^event: endpoint\ndata: (.*)$/m.exec(value!)![1]!;
      const posted = await fetch(new URL(endpoint, `${sluice.url}/sse`), {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify(INITIALIZE),
      });
      assertEquals([posted.status, await posted.json()], [202, { status: "success" }]);
      assert((await reader.read()).value!.includes("protocolVersion"));
      gone.abort();
      await reader.cancel().catch(() => {});
    }));
  // The first round warms what stays: connections to the upstream, the database.
  await useSockets();
  await useStreams();
  await atRest(sluice);
  const idle = () => waitFor(() => counter.liveSessions === 0, { what: "upstream sessions to be ended" });
  await idle();
  const fds = () => sluice.processes.map(({ pid }) => openFds(pid));
  const before = fds();
  for (let round = 0; round < 4; round++) {
    await useSockets();
    await useStreams();
  }
  await atRest(sluice);
  await idle();
  await waitFor(() => fds().every((count, i) => count <= before[i]! + 5), {
    what: `${before} descriptors`,
  });
});

gatewayTest("Broken frames end their connection and nothing else", async (start) => {
  await using sluice = await start();
  const token = await sluice.token();
  using steady = await connect(sluice, token);
  const prng = new Prng(RANDOM_SEED);
  const request = encoder.encode(PING_REQUEST);
  const broken: ((prng: Prng) => Uint8Array)[] = [
    (prng) => prng.bytes(1 + prng.int(200)),
    // Without a mask, which clients must have.
    () => frame(TEXT, request, { masked: false }),
    // A continuation of nothing, a frame within another's fragments, a long control frame, reserved opcodes and bits.
    () => frame(0, request),
    () => new Uint8Array([...frame(TEXT, request, { fin: false }), ...frame(TEXT, request)]),
    () => frame(PING, new Uint8Array(200)),
    (prng) => frame(3 + prng.int(5), request),
    (prng) => frame(TEXT, request).map((byte, at) => at === 0 ? byte | (0x10 << prng.int(3)) : byte),
    () => frame(TEXT, new Uint8Array([0xff, 0xfe])),
    () => frame(CLOSE, new Uint8Array([1])),
    () => frame(CLOSE, new Uint8Array([0, 1, 0xff])),
    () => frame(PONG, request),
    // A head that promises 2^62 bytes; half a frame.
    () => new Uint8Array([0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
    (prng) => frame(TEXT, request).slice(0, 1 + prng.int(request.length)),
    // Good frames around bad JSON.
    (prng) => frame(TEXT, encoder.encode(PING_REQUEST.slice(0, prng.int(PING_REQUEST.length)))),
    () => frame(TEXT, encoder.encode("[".repeat(1_000))),
  ];
  for (let round = 0; round < 20; round++) {
    await Promise.all(broken.map(async (make) => {
      using socket = await RawWebSocket.open(sluice.port, { token });
      await socket.send(make(prng)).catch(() => {});
      await socket.send(frame(TEXT, request)).catch(() => {});
      // Whatever it says to that, the end of it.
      if (prng.chance(0.5)) await socket.send(frame(CLOSE, new Uint8Array([3, 232]))).catch(() => {});
    }));
  }
  await steady.say(PING_REQUEST);
  assertEquals(await steady.nextMessage(), PONG_ANSWER, `seed ${RANDOM_SEED}`);
  await waitFor(async () => (await open(sluice)).join() === "0,1", {
    what: `one connection left, seed ${RANDOM_SEED}`,
  });
  assertEquals(await metric(sluice, "sluice_errors_total", "INTERNAL"), 0, `seed ${RANDOM_SEED}`);
});
