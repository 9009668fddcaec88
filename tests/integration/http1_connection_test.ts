// The upstream HTTP/1.1 client's connections: reuse, retry, early ends, time limits, aborts.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { freePort } from "../support/free_port.ts";
import { SluiceError } from "../../src/base/errors.ts";
import { Deadline } from "../../src/upstream/resilience/deadline.ts";
import type { Http1ClientOptions } from "../../src/upstream/http_client/http1_client.ts";
import {
  type Act,
  answering,
  clientOf,
  get,
  HELLO,
  MAX,
  OK,
  post,
  rejects,
  startHostile,
  textOf,
  write,
} from "../support/http1_hostile.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test("Http1Client drops an idle connection that the server closes or talks on", async () => {
  for (const last of ["", "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"]) {
    const go = Promise.withResolvers<void>();
    await using server = await startHostile(async (conn, request, connection) => {
      await request();
      await write(conn, HELLO);
      if (connection > 1) return void await request();
      await go.promise;
      await write(conn, last);
    });
    using client = clientOf();
    assertEquals(await textOf(client.send(get(server.url))), "hello");
    assertEquals(client.stats.idle, 1);
    go.resolve();
    await waitFor(() => client.stats.open === 0, { what: "the connection to be dropped" });
    assertEquals(await textOf(client.send(get(server.url))), "hello");
    assertEquals(server.seen, { connections: 2, requests: 2 });
  }
});

Deno.test("Http1Client never sends a request again that a reused connection may have carried", async () => {
  await using server = await startHostile(async (conn, request, connection) => {
    await request();
    await write(conn, HELLO);
    await request();
    if (connection > 1) await write(conn, HELLO);
  });
  using client = clientOf();
  assertEquals(await textOf(client.send(post(server.url, "1"))), "hello");
  const error = await rejects(() => client.send(post(server.url, "2")), "UPSTREAM_CLOSED");
  assertEquals([error.params.sent, server.seen], [1, { connections: 1, requests: 2 }]);
});

/** `Deno.connect` whose first connection refuses every write after the first. */
function deafAfterFirstWrite(): NonNullable<Http1ClientOptions["connect"]> {
  let connections = 0;
  return async (to) => {
    const conn = await Deno.connect(to);
    if (++connections > 1) return conn;
    let writes = 0;
    const deaf = {
      write: (bytes: Uint8Array) =>
        ++writes > 1 ? Promise.reject(new Deno.errors.BrokenPipe()) : conn.write(bytes),
    };
    return new Proxy(conn, {
      get: (target, name) => {
        if (name === "write") return deaf.write;
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
}

Deno.test("Http1Client sends again, once and afresh, what certainly was not sent", async () => {
  await using server = await startHostile(answering(HELLO));
  using client = clientOf({ connect: deafAfterFirstWrite() });
  assertEquals(await textOf(client.send(post(server.url, "1"))), "hello");
  assertEquals(await textOf(client.send(post(server.url, "2"))), "hello");
  assertEquals([client.stats.created, server.seen.requests], [2, 2]);
});

Deno.test("Http1Client says that nothing was sent where the fresh connection takes nothing either", async () => {
  await using server = await startHostile(answering(HELLO));
  const broken = () => Promise.reject(new Deno.errors.BrokenPipe());
  using client = clientOf({
    connect: async (to) => Object.assign(await Deno.connect(to), { write: broken }),
  });
  const error = await rejects(() => client.send(post(server.url, "1")), "UPSTREAM_CLOSED");
  assertEquals([error.params.sent, server.seen.requests, client.stats.open], [0, 0, 0]);
});

Deno.test("Http1Client takes an answer that comes before the server has read the request", async () => {
  await using server = await startHostile(async (conn) => {
    await conn.read(new Uint8Array(10));
    await write(conn, "HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
    await new Promise((resolve) => setTimeout(resolve, 100));
  });
  using client = clientOf();
  const response = await client.send(post(server.url, "x".repeat(30_000_000)));
  assertEquals([response.status, await response.text(MAX)], [413, "no"]);
  assertEquals(client.stats.open, 0);
});

Deno.test("Http1Client reads an answer from a connection that is half closed, and drops it", async () => {
  await using server = await startHostile(async (conn, request) => {
    await request();
    await write(conn, HELLO);
    await conn.closeWrite();
    await request();
  });
  using client = clientOf();
  assertEquals(await textOf(client.send(post(server.url, "{}"))), "hello");
  await waitFor(() => client.stats.open === 0, { what: "the half-closed connection to be dropped" });
});

Deno.test("Http1Client names the phase that took too long", async () => {
  const silence: Act = async (_conn, request) => void (await request(), await request());
  await using silent = await startHostile(silence);
  await using stalled = await startHostile(async (conn, request) => {
    await request();
    await write(conn, `${OK}content-length: 50\r\n\r\nhello`);
    await request();
  });
  const stop = Promise.withResolvers<void>();
  await using deaf = await startHostile(() => stop.promise);
  using client = clientOf({ readTimeoutMs: 60, writeTimeoutMs: 70 });
  const message = async (run: () => Promise<unknown>) => (await rejects(run, "UPSTREAM_TIMEOUT")).message;
  assertEquals(
    await message(() => client.send(get(silent.url))),
    'Upstream "up" did not answer within 60 ms (HTTP_CLIENT_READ_TIMEOUT)',
  );
  assertEquals(
    await message(() =>
      client.send(get(silent.url, { readTimeoutMs: 40, deadline: new Deadline(60_000, "TOOL_TIMEOUT") }))
    ),
    'Upstream "up" did not answer within 40 ms (TOOL_TIMEOUT)',
  );
  assertEquals(
    await message(() => {
      // The head has time: only its body is late.
      const limits = { readTimeoutMs: 30_000, deadline: new Deadline(30_000, "TOOL_TIMEOUT") };
      return textOf(client.send(get(stalled.url, limits)));
    }),
    'Upstream "up" did not continue its answer within 60 ms (HTTP_CLIENT_READ_TIMEOUT)',
  );
  assertEquals(
    await message(() => client.send(post(deaf.url, "x".repeat(30_000_000)))),
    'Upstream "up" did not accept the request within 70 ms (HTTP_CLIENT_WRITE_TIMEOUT)',
  );
  assertEquals(client.stats.open, 0);
  stop.resolve();
});

Deno.test("Http1Client lets an upstream compute as long as the call may take, but not stall in the midst of a body", async () => {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 200));
  await using slow = await startHostile(async (conn, request) => {
    await request();
    await pause();
    await write(conn, `${OK}content-length: 5\r\n\r\n`);
    await pause();
    await write(conn, "hello");
    await request();
    await write(conn, `${OK}content-type: text/event-stream\r\n\r\n: begun\n\n`);
    await pause();
    await write(conn, ": done\n\n");
  });
  await using stalling = await startHostile(async (conn, request) => {
    await request();
    await write(conn, `${OK}content-length: 50\r\n\r\nhello`);
    await request();
  });
  using client = clientOf({ readTimeoutMs: 60 });
  const limits = () => ({ readTimeoutMs: 30_000, deadline: new Deadline(30_000, "TOOL_TIMEOUT") });
  assertEquals(await textOf(client.send(get(slow.url, limits()))), "hello");
  let stream = "";
  for await (const chunk of (await client.send(get(slow.url, limits()))).chunks()) {
    stream += new TextDecoder().decode(chunk);
  }
  assertEquals(stream, ": begun\n\n: done\n\n");
  const error = await rejects(() => textOf(client.send(get(stalling.url, limits()))), "UPSTREAM_TIMEOUT");
  assertEquals(
    error.message,
    'Upstream "up" did not continue its answer within 60 ms (HTTP_CLIENT_READ_TIMEOUT)',
  );
});

Deno.test("Http1Client ends the whole exchange at its deadline, however lively the stream", async () => {
  await using server = await startHostile(async (conn, request) => {
    await request();
    await write(conn, `${OK}content-type: text/event-stream\r\n\r\n`);
    for (let i = 0; i < 10_000; i++) {
      await write(conn, ": tick\n\n");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
  using client = clientOf();
  const request = get(server.url, {
    deadline: new Deadline(1_500, "TOOL_TIMEOUT"),
    readTimeoutMs: 1_400,
  });
  const response = await client.send(request);
  const error = await rejects(async () => {
    for await (const _ of response.chunks());
  }, "UPSTREAM_TIMEOUT");
  assert(error.message.endsWith("(TOOL_TIMEOUT)"));
  await rejects(() => client.send(request), "UPSTREAM_TIMEOUT");
  assertEquals([client.stats.open, server.seen.connections], [0, 1]);
});

Deno.test("Http1Client is aborted in each phase by its signal, and keeps nothing", async () => {
  const stop = Promise.withResolvers<void>();
  await using deaf = await startHostile(() => stop.promise);
  await using silent = await startHostile(async (_conn, request) => void (await request(), await request()));
  await using stalled = await startHostile(async (conn, request) => {
    await request();
    await write(conn, `${OK}content-length: 50\r\n\r\nhello`);
    await request();
  });
  using client = clientOf({ maxConnections: 1 });
  const abortedWhile = async (when: () => boolean, run: (signal: AbortSignal) => Promise<unknown>) => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const running = run(abort.signal);
    running.catch(() => {});
    await waitFor(when, { what: "the phase", everyMs: 2 });
    abort.abort(reason);
    assert(await assertRejects(() => running) === reason);
  };
  let requests = 0;
  await abortedWhile(() => silent.seen.requests === 1, (signal) => client.send(get(silent.url, { signal })));
  await abortedWhile(
    () => deaf.seen.connections === 1,
    (signal) => client.send(post(deaf.url, "x".repeat(3e7), { signal })),
  );
  await abortedWhile(() => requests === 1, async (signal) => {
    const response = await client.send(get(stalled.url, { signal }));
    requests = 1;
    await response.text(MAX);
  });
  assertEquals(client.stats.open, 0);
  const holder = await client.send(get(stalled.url));
  await abortedWhile(() => client.stats.waiting === 1, (signal) => client.send(get(silent.url, { signal })));
  assertEquals(client.stats.waiting, 0);
  holder.discard();
  client.close();
  using unreachable = clientOf({ resolve: () => new Promise(() => {}) });
  await abortedWhile(
    () => unreachable.stats.open === 1,
    (signal) => unreachable.send(get("http://up.test/", { signal })),
  );
  const already = AbortSignal.abort("before");
  assertEquals(
    await assertRejects(() => unreachable.send(get("http://up.test/", { signal: already }))),
    "before",
  );
  stop.resolve();
});

Deno.test("Http1Client.chunks() gives bytes as they arrive; leaving the loop closes a connection whose body goes on", async () => {
  const next = Promise.withResolvers<void>();
  const long = "x".repeat(500);
  const gone = Promise.withResolvers<void>();
  await using server = await startHostile(async (conn, request) => {
    await request();
    await write(conn, `${OK}transfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n`);
    await next.promise;
    await write(conn, `1f4\r\n${long}\r\n`);
    if (await conn.read(new Uint8Array(1)) === null) gone.resolve();
  });
  using client = clientOf();
  const seen: Uint8Array[] = [];
  for await (const chunk of (await client.send(get(server.url))).chunks()) {
    seen.push(chunk);
    if (seen.length === 2) break;
    next.resolve();
  }
  // Decoded only now: a chunk stays what it was when the next has been read.
  assertEquals(seen.map((chunk) => new TextDecoder().decode(chunk)), ["data: 1\n\n", long]);
  await gone.promise;
  assertEquals(client.stats.open, 0);
});

Deno.test("Http1Client.chunks() left behind the last event of a stream keeps the connection", async () => {
  await using server = await startHostile(async (conn, request) => {
    for (let answer = 0; answer < 3; answer++) {
      await request();
      await write(
        conn,
        `${OK}content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n`,
      );
      await write(conn, "0\r\n\r\n");
    }
  });
  using client = clientOf();
  for (let call = 0; call < 3; call++) {
    for await (const _ of (await client.send(get(server.url))).chunks()) break;
    await waitFor(() => client.stats.idle === 1, { what: "the connection to be free" });
  }
  assertEquals([client.stats.created, client.stats.reused], [1, 2]);
});

Deno.test("HttpResponse.discard() keeps the connection where little is left, and closes it where much is", async () => {
  const last = Promise.withResolvers<void>();
  await using server = await startHostile(async (conn, request) => {
    await request();
    await write(conn, `${OK}transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n`);
    await last.promise;
    await write(conn, "3\r\nllo\r\n0\r\n\r\n");
    await request();
    await write(conn, `${OK}content-length: 1000000\r\n\r\n`);
    await request();
  });
  using client = clientOf();
  (await client.send(get(server.url))).discard();
  last.resolve();
  await waitFor(() => client.stats.idle === 1, { what: "the rest to be read" });
  (await client.send(get(server.url))).discard();
  assertEquals([client.stats.open, client.stats.created], [0, 1]);
});

Deno.test("Http1Client asks again whether another upstream may use the address of a connection", async () => {
  await using server = await startHostile(answering(HELLO));
  using client = clientOf({
    checkAddress: (_hostname, ip, upstream) => {
      if (upstream === "outsider") throw new SluiceError("EGRESS_DENIED", { reason: `not to ${ip}` });
    },
  });
  assertEquals(await textOf(client.send(get(server.url))), "hello");
  await rejects(() => client.send(get(server.url, { upstream: "outsider" })), "EGRESS_DENIED");
  assertEquals(await textOf(client.send(get(server.url))), "hello");
  assertEquals([client.stats.created, server.seen.requests], [1, 2]);
});

Deno.test("Http1Client sends nothing that would let two readers see two requests", async () => {
  await using server = await startHostile(answering(HELLO));
  using client = clientOf();
  for (
    const header of [["x", "a\r\n\r\nGET / HTTP/1.1"], ["content-length", "0"], [
      "transfer-encoding",
      "chunked",
    ]] as const
  ) {
    await rejects(() => client.send(post(server.url, "{}", { headers: [header] })), "INVALID_REQUEST");
  }
  await rejects(() => client.send(get(server.url.replace("//", "//me:pw@"))), "EGRESS_DENIED");
  assertEquals(server.seen.connections, 0);
});

Deno.test("Http1Client says why it cannot connect", async () => {
  const port = freePort();
  using client = clientOf({
    resolve: () => Promise.reject(Object.assign(new Error("x"), { code: "ENOTFOUND" })),
  });
  const refused = await rejects(
    () => client.send(get(`http://127.0.0.1:${port}/?key=secret`)),
    "UPSTREAM_CONNECT_FAILED",
  );
  assertEquals(refused.message, 'Cannot connect to upstream "up": connection refused');
  const unknown = await rejects(() => client.send(get("http://up.test/")), "UPSTREAM_CONNECT_FAILED");
  assertEquals(unknown.message, 'Cannot connect to upstream "up": cannot resolve "up.test" (ENOTFOUND)');
  client.close();
  await rejects(() => client.send(get("http://up.test/")), "SHUTTING_DOWN");
});

Deno.test("Http1Client.close() ends requests under way", async () => {
  await using server = await startHostile(async (_conn, request) => void (await request(), await request()));
  using client = clientOf();
  const asked = client.send(get(server.url));
  asked.catch(() => {});
  await waitFor(() => server.seen.requests === 1, { what: "the request", everyMs: 2 });
  client.close();
  await rejects(() => asked, "SHUTTING_DOWN");
});
