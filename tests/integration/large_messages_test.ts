// Large messages over channels of upstreams: they take turns on the event loop, and count for their caller while they arrive.
import { assert, assertEquals } from "@std/assert";
import { WebSocketServer } from "ws";
import { systemClock } from "../../src/base/clock.ts";
import type { SluiceError } from "../../src/base/errors.ts";
import { ClientMemory } from "../../src/base/sharing/client_memory.ts";
import { loopTurns } from "../../src/base/sharing/loop_turns.ts";
import { createLog } from "../../src/telemetry/log.ts";
import type { OpenChannel, Receiver } from "../../src/upstream/duplex/duplex_channel.ts";
import { FetchClient } from "../../src/upstream/http_client/fetch_client.ts";
import { Http1Client } from "../../src/upstream/http_client/http1_client.ts";
import { Address } from "../../src/upstream/http_client/redirects.ts";
import { Deadline } from "../../src/upstream/resilience/deadline.ts";
import { openSseChannel } from "../../src/upstream/sse/sse_channel.ts";
import { StdioProcesses } from "../../src/upstream/stdio/processes.ts";
import { HttpTransport } from "../../src/upstream/streamable_http/http_transport.ts";
import { openWebSocketChannel } from "../../src/upstream/websocket/websocket_channel.ts";
import { callerAtRest, MemorySink } from "../support/fakes.ts";
import { waitFor } from "../support/wait_for.ts";

const LARGE = "x".repeat(600_000);
/** The beginning of a message that goes on until the channel is closed. */
const BEGINNING = "y".repeat(600_000);

type Says = "two messages" | "no end";

interface Upstream extends AsyncDisposable {
  readonly open: OpenChannel;
}

const LIMITS = {
  maxKeepaliveConnections: 4,
  keepaliveExpiryMs: 5_000,
  readTimeoutMs: 60_000,
  connectTimeoutMs: 5_000,
};

const clients = {
  "HTTP/2": () => new FetchClient({ ...LIMITS, checkAddress: () => {} }),
  "HTTP/1": () =>
    new Http1Client({
      ...LIMITS,
      maxConnections: 10,
      writeTimeoutMs: 60_000,
      poolTimeoutMs: 5_000,
      maxHeadBytes: 65_536,
      checkAddress: () => {},
    }),
};

function sse(says: Says): Upstream {
  const http = clients["HTTP/2"]();
  const text = says === "no end" ? `data: ${BEGINNING}` : `data: ${LARGE}\n\n`.repeat(2);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode(`event: endpoint\ndata: /message\n\n${text}`));
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const url = new URL(`http://127.0.0.1:${server.addr.port}/sse`);
  const options = {
    client: http,
    agentHeaders: [],
    address: new Address(url),
    maxResponseBytes: 10_000_000,
    clock: systemClock,
  };
  return {
    open: openSseChannel({ upstream: "up", url, headers: [] }, options),
    [Symbol.asyncDispose]: async () => {
      http.close();
      await server.shutdown();
    },
  };
}

async function webSocket(says: Says): Promise<Upstream> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await new Promise<void>((resolve) => server.once("listening", resolve));
  server.on("connection", (socket) => {
    if (says === "no end") return socket.send(BEGINNING, { fin: false });
    socket.send(LARGE);
    socket.send(LARGE);
  });
  const { port } = server.address() as { port: number };
  const options = {
    agentHeaders: [],
    maxResponseBytes: 10_000_000,
    connect: () => Deno.connect({ hostname: "127.0.0.1", port }),
  };
  return {
    open: openWebSocketChannel(
      { upstream: "up", url: new URL(`ws://127.0.0.1:${port}/`), headers: [] },
      options,
    ),
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function stdio(says: Says): Upstream {
  const script = says === "no end"
    ? `head -c ${BEGINNING.length} /dev/zero | tr '\\0' y; exec cat`
    : `for _ in 1 2; do head -c ${LARGE.length} /dev/zero | tr '\\0' x; echo; done; exec cat`;
  const processes = new StdioProcesses({
    stdioEnabled: true,
    stdioAllowedCommands: [],
    stdioAllowedVariables: [],
    stdioMaxProcesses: 10,
    stdioMaxProcessesPerUpstream: 10,
    maxLineBytes: 10_000_000,
    clock: systemClock,
    log: createLog({ level: "ERROR", format: "json", sink: new MemorySink() }),
    environment: (name) => Deno.env.get(name),
    account: null,
    onStarted: () => {},
  });
  const launch = { command: "/bin/sh", args: ["-c", script], cwd: null };
  return {
    open: processes.opener({ name: "up", launch, env: {}, isOwn: true }),
    [Symbol.asyncDispose]: () => processes.idle(),
  };
}

/** Gives the turns of this thread to `onNext`. */
function heldTurns(onNext: (caller: unknown, pass: () => void) => void): Disposable {
  const { next } = loopTurns;
  loopTurns.next = (caller) => new Promise((resolve) => onNext(caller, resolve));
  return { [Symbol.dispose]: () => void (loopTurns.next = next) };
}

for (const [name, start] of Object.entries({ sse, webSocket, stdio })) {
  Deno.test(`Large messages over ${name} wait for their caller's turn`, async () => {
    await using upstream = await start("two messages");
    const turns: { readonly caller: unknown; readonly pass: () => void }[] = [];
    using _turns = heldTurns((caller, pass) => turns.push({ caller, pass }));
    let received = 0;
    const receiver: Receiver = { receive: () => received++, lost: () => {}, ended: () => {} };
    const memory = new ClientMemory(Infinity);
    const caller = callerAtRest(memory);
    const channel = await upstream.open([], receiver, { deadline: new Deadline(60_000, "the test"), caller });
    for (const count of [1, 2]) {
      await waitFor(() => turns.length === count, { what: `message ${count} to wait` });
      assertEquals([turns.at(-1)!.caller === caller, received], [true, count - 1]);
      // The first pieces of a WebSocket may come with its handshake.
      assert(memory.chars >= LARGE.length * 0.8, `${memory.chars} characters count while they wait`);
      turns.at(-1)!.pass();
      await waitFor(() => received === count, { what: `message ${count}` });
    }
    await waitFor(() => memory.chars === 0, { what: "nothing to count" });
    await channel.close();
  });

  Deno.test(`A message that is still arriving over ${name} counts for its caller`, async () => {
    // What fits into it, and what does not; and nobody's.
    for (const [maxChars, isShared] of [[10_000_000, false], [800_000, false], [800_000, true]] as const) {
      await using upstream = await start("no end");
      const memory = new ClientMemory(maxChars);
      const losses: (SluiceError | undefined)[] = [];
      const receiver: Receiver = {
        receive: () => {},
        lost: (_edges, why) => void losses.push(why),
        ended: () => {},
      };
      const deadline = new Deadline(60_000, "the test");
      const channel = await upstream.open([], receiver, { deadline, caller: callerAtRest(memory), isShared });
      if (isShared) assertEquals(memory.chars, 0);
      else if (maxChars > 1_000_000) {
        // The first pieces of a WebSocket may come with its handshake.
        await waitFor(() => memory.chars >= BEGINNING.length * 0.9, { what: "the message to count" });
      } else {
        // The loss of a line is told when it ends.
        if (name === "stdio") await channel.send("", { deadline });
        await waitFor(() => losses.length > 0, { what: "the loss" });
        assertEquals(losses.map((why) => why?.code), ["CLIENT_MEMORY_FULL"]);
      }
      await channel.close();
      await waitFor(() => memory.chars === 0, { what: "the memory to be given back" });
    }
  });
}

for (const [http, clientOf] of Object.entries(clients)) {
  for (const says of ["events", "json"] as const) {
    Deno.test(`A call's large answer over ${http} waits for its caller's turn, and counts until then: ${says}`, async () => {
      const message = (members: object) => JSON.stringify({ jsonrpc: "2.0", ...members, more: LARGE });
      const told = message({ method: "notifications/message", params: {} });
      const answer = message({ id: 7, result: {} });
      await using server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        () =>
          says === "json"
            ? new Response(answer, { headers: { "content-type": "application/json" } })
            : new Response(`data: ${told}\n\ndata: ${answer}\n\n`, {
              headers: { "content-type": "text/event-stream" },
            }),
      );
      const client = clientOf();
      const url = new URL(`http://127.0.0.1:${server.addr.port}/`);
      const transport = new HttpTransport({
        client,
        target: { upstream: "up", url, headers: [] },
        maxResponseBytes: 10_000_000,
      });
      const turns: { readonly caller: unknown; readonly pass: () => void }[] = [];
      using _turns = heldTurns((caller, pass) => turns.push({ caller, pass }));
      const memory = new ClientMemory(Infinity);
      const caller = callerAtRest(memory);
      let received = 0;
      const reply = transport.request(7, "{}", transport.headersFor(null, null), {
        deadline: new Deadline(60_000, "the test"),
        caller,
        onMessage: () => received++,
      }).then(() => received++);
      for (let count = 1; count <= (says === "events" ? 2 : 1); count++) {
        await waitFor(() => turns.length === count, { what: `message ${count} to wait` });
        assertEquals([turns.at(-1)!.caller === caller, received], [true, count - 1]);
        assert(memory.chars >= LARGE.length, `${memory.chars} characters count while they wait`);
        turns.at(-1)!.pass();
        await waitFor(() => received === count, { what: `message ${count}` });
      }
      await reply;
      assertEquals(memory.chars, 0);
      client.close();
    });
  }
}

Deno.test("Bytes that come after a WebSocket has closed count for nobody", async () => {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await new Promise<void>((resolve) => server.once("listening", resolve));
  server.on("connection", (socket) => socket.send(BEGINNING, { fin: false }));
  const { port } = server.address() as { port: number };
  const isClosed = Promise.withResolvers<void>();
  const late = Promise.withResolvers<void>();
  const connect = async () => {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    return {
      read: async (into: Uint8Array) => {
        const count = await socket.read(into).catch(() => null);
        if (count !== null) return count;
        await isClosed.promise;
        setTimeout(late.resolve);
        return 100;
      },
      write: (bytes: Uint8Array) => socket.write(bytes),
      close: () => socket.close(),
    };
  };
  const target = { upstream: "up", url: new URL(`ws://127.0.0.1:${port}/`), headers: [] };
  const open = openWebSocketChannel(target, { agentHeaders: [], maxResponseBytes: 10_000_000, connect });
  const memory = new ClientMemory(10_000_000);
  const receiver: Receiver = { receive: () => {}, lost: () => {}, ended: () => isClosed.resolve() };
  const deadline = new Deadline(60_000, "the test");
  const channel = await open([], receiver, { deadline, caller: callerAtRest(memory) });
  await waitFor(() => memory.chars >= BEGINNING.length * 0.8, { what: "the message to count" });
  await channel.close();
  await late.promise;
  assertEquals(memory.chars, 0);
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
