import { ClientMemory } from "../../base/sharing/client_memory.ts";
import type { CancelSignal } from "../../base/cancellation.ts";
import { assertEquals, assertRejects } from "@std/assert";
import { principal } from "../../../tests/support/fakes.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { SluiceError } from "../../base/errors.ts";
import type { McpReply, McpRequest } from "../../downstream/exchange/mcp_exchange.ts";
import type { CallNote } from "../../telemetry/call_note.ts";
import { WorkerPorts } from "./worker_ports.ts";

const memory = new ClientMemory(Infinity);

type Serve = (request: McpRequest, signal: CancelSignal) => Promise<McpReply>;

const REQUEST: McpRequest = {
  method: "POST",
  principal: principal(),
  serverId: null,
  sessionId: "s",
  headers: new Headers({ "x-tenant-id": "t1" }),
  protocolVersion: null,
  acceptsStream: true,
  acceptsJson: true,
  body: '{"n":1.0}',
};

const OWNER = 1;

const never = new AbortController().signal;

/** Two workers: what the first forwards, the second serves. */
async function withPair(serve: Serve, test: (asker: WorkerPorts, owner: WorkerPorts) => Promise<void>) {
  const { port1, port2 } = new MessageChannel();
  const asker = new WorkerPorts(() => Promise.reject(new Error("not asked")), memory);
  const owner = new WorkerPorts(serve, memory);
  asker.connect(OWNER, port1);
  owner.connect(0, port2);
  try {
    await test(asker, owner);
  } finally {
    asker.disconnect(OWNER);
    owner.disconnect(0);
  }
}

/** A stream that the test feeds, and how it ended. */
function feed() {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const state = { cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    start: (given) => void (controller = given),
    cancel: () => void (state.cancelled = true),
  });
  const write = (text: string) => controller.enqueue(new TextEncoder().encode(text));
  const reply: McpReply = { status: 200, headers: { "content-type": "text/event-stream" }, body };
  return {
    reply,
    state,
    write,
    close: () => controller.close(),
    fail: () => controller.error(new Error("cut off")),
  };
}

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

function readerOf({ body }: McpReply) {
  return (body as ReadableStream<Uint8Array>).getReader();
}

Deno.test("WorkerPorts.forward() brings the request to the owner and the reply back", async () => {
  const seen: McpRequest[] = [];
  const reply: McpReply = { status: 202, headers: { "x-y": "z" }, body: null };
  await withPair((request) => (seen.push(request), Promise.resolve(reply)), async (asker) => {
    assertEquals(await asker.forward(OWNER, REQUEST, never), reply);
    const { headers, ...rest } = seen[0]!;
    const { headers: _, ...sent } = REQUEST;
    assertEquals([rest, headers.get("x-tenant-id")], [sent, "t1"]);
  });
});

Deno.test("WorkerPorts.forward() tells replies apart, in whatever order they come", async () => {
  const waiting = new Map<string, () => void>();
  const serve: Serve = ({ body }) =>
    new Promise((resolve) => waiting.set(body, () => resolve({ status: 200, headers: {}, body })));
  await withPair(serve, async (asker) => {
    const replies = ["1", "2", "3"].map((body) => asker.forward(OWNER, { ...REQUEST, body }, never));
    await waitFor(() => waiting.size === 3, { what: "three requests" });
    for (const body of ["3", "1", "2"]) waiting.get(body)!();
    assertEquals((await Promise.all(replies)).map(({ body }) => body), ["1", "2", "3"]);
  });
});

Deno.test("WorkerPorts.forward() rejects with what the owner threw", async () => {
  const thrown = new SluiceError("INVALID_REQUEST", { reason: "why" }, { data: [1] });
  await withPair(() => Promise.reject(thrown), async (asker) => {
    const error = await assertRejects(() => asker.forward(OWNER, REQUEST, never), SluiceError);
    assertEquals([error.code, error.message, error.data], [thrown.code, thrown.message, thrown.data]);
  });
});

Deno.test("WorkerPorts.forward() keeps the words of an unknown failure for the log", async () => {
  await withPair(() => Promise.reject(new TypeError("x is undefined")), async (asker) => {
    const error = await assertRejects(() => asker.forward(OWNER, REQUEST, never), SluiceError);
    assertEquals([error.code, error.cause], ["INTERNAL", "x is undefined"]);
  });
});

Deno.test("WorkerPorts.forward() passes a stream on as it comes, to its end", async () => {
  const { reply, write, close } = feed();
  await withPair(() => Promise.resolve(reply), async (asker) => {
    const forwarded = await asker.forward(OWNER, REQUEST, never);
    assertEquals(forwarded.headers, reply.headers);
    const reader = readerOf(forwarded);
    for (const piece of ["one", "two"]) {
      write(piece);
      assertEquals(text((await reader.read()).value), piece);
    }
    close();
    assertEquals((await reader.read()).done, true);
  });
});

Deno.test("WorkerPorts.forward() breaks off a stream that broke off at the owner", async () => {
  const { reply, fail } = feed();
  await withPair(() => Promise.resolve(reply), async (asker) => {
    const reader = readerOf(await asker.forward(OWNER, REQUEST, never));
    fail();
    await assertRejects(() => reader.read());
  });
});

Deno.test("WorkerPorts cancels the owner's stream when the client has gone", async () => {
  const { reply, state, write } = feed();
  await withPair(() => Promise.resolve(reply), async (asker) => {
    const reader = readerOf(await asker.forward(OWNER, REQUEST, never));
    write("one");
    await reader.read();
    await reader.cancel();
    await waitFor(() => state.cancelled, { what: "the cancelled stream" });
  });
});

Deno.test("WorkerPorts breaks off a stream that its client does not read, and tells the owner", async () => {
  const { reply, state, write } = feed();
  await withPair(() => Promise.resolve(reply), async (asker) => {
    const reader = readerOf(await asker.forward(OWNER, REQUEST, never));
    for (let i = 0; i < 6; i++) write("x".repeat(1_000_000));
    await waitFor(() => state.cancelled, { what: "the cancelled stream" });
    await assertRejects(
      async () => {
        while (!(await reader.read()).done);
      },
      Error,
      "does not read",
    );
  });
});

Deno.test("WorkerPorts tells the owner that the client has gone", async () => {
  let signal: CancelSignal | undefined;
  let finish = () => {};
  const serve: Serve = (_, given) => {
    signal = given;
    return new Promise((resolve) => (finish = () => resolve({ status: 200, headers: {}, body: "{}" })));
  };
  await withPair(serve, async (asker) => {
    const gone = new AbortController();
    const reply = asker.forward(OWNER, REQUEST, gone.signal);
    await waitFor(() => signal, { what: "the request" });
    gone.abort();
    await waitFor(() => signal!.aborted, { what: "the aborted signal" });
    finish();
    assertEquals((await reply).body, "{}");
  });
});

Deno.test("WorkerPorts.forward() asks nobody for a client that has gone already", async () => {
  let asked = 0;
  await withPair(() => (asked++, Promise.resolve({ status: 200, headers: {}, body: "" })), async (asker) => {
    const error = await assertRejects(() => asker.forward(OWNER, REQUEST, AbortSignal.abort()), SluiceError);
    await asker.forward(OWNER, REQUEST, never);
    assertEquals([error.code, asked], ["REQUEST_CANCELLED", 1]);
  });
});

Deno.test("WorkerPorts.forward() knows at once that it has no way to a worker", async () => {
  const error = await assertRejects(
    () => new WorkerPorts(() => Promise.reject(), memory).forward(7, REQUEST, never),
    SluiceError,
  );
  assertEquals(error.code, "WORKER_GONE");
});

Deno.test("WorkerPorts.disconnect() answers who waits for the worker, and ends its streams", async () => {
  const { reply } = feed();
  const serve: Serve = ({ body }) => body === "stream" ? Promise.resolve(reply) : new Promise(() => {});
  await withPair(serve, async (asker) => {
    const reader = readerOf(await asker.forward(OWNER, { ...REQUEST, body: "stream" }, never));
    const waiting = asker.forward(OWNER, REQUEST, never);
    asker.disconnect(OWNER);
    const error = await assertRejects(() => waiting, SluiceError);
    assertEquals([error.code, (await reader.read()).done], ["WORKER_GONE", true]);
    await assertRejects(() => asker.forward(OWNER, REQUEST, never), SluiceError, "is gone");
  });
});

Deno.test("WorkerPorts.disconnect() gives up what is served for the worker that is gone", async () => {
  const { reply, state } = feed();
  const signals: CancelSignal[] = [];
  const serve: Serve = ({ body }, signal) => {
    signals.push(signal);
    return body === "stream" ? Promise.resolve(reply) : new Promise(() => {});
  };
  await withPair(serve, async (asker, owner) => {
    await asker.forward(OWNER, { ...REQUEST, body: "stream" }, never);
    const waiting = asker.forward(OWNER, REQUEST, never).catch(() => {});
    await waitFor(() => signals.length === 2, { what: "two requests" });
    owner.disconnect(0);
    await waitFor(() => state.cancelled, { what: "the cancelled stream" });
    // A call whose stream is lost goes on: its client may come back for the rest.
    assertEquals(signals.map(({ aborted }) => aborted), [false, true]);
    asker.disconnect(OWNER);
    await waiting;
  });
});

Deno.test("WorkerPorts.connect() sends to the successor, and the former one still answers what it was asked", async () => {
  const serve: Serve = ({ body }) => Promise.resolve({ status: 200, headers: {}, body: `new ${body}` });
  const slow = Promise.withResolvers<McpReply>();
  const answers = [slow.promise, new Promise<McpReply>(() => {})];
  await withPair(() => answers.shift()!, async (asker) => {
    const [old, lost] = [asker.forward(OWNER, REQUEST, never), asker.forward(OWNER, REQUEST, never)];
    const { port1, port2 } = new MessageChannel();
    const successor = new WorkerPorts(serve, memory);
    successor.connect(0, port2);
    asker.connect(OWNER, port1);
    assertEquals((await asker.forward(OWNER, REQUEST, never)).body, `new ${REQUEST.body}`);
    slow.resolve({ status: 200, headers: {}, body: "old" });
    assertEquals((await old).body, "old");
    asker.disconnectFormer(OWNER);
    await assertRejects(() => lost, SluiceError, "is gone");
    assertEquals((await asker.forward(OWNER, REQUEST, never)).body, `new ${REQUEST.body}`);
    successor.disconnect(0);
  });
});

Deno.test("WorkerPorts.forward() brings back what the owner has noted, with its reply, its stream and its failure", async () => {
  const stream = feed();
  const replies: Record<string, () => Promise<McpReply>> = {
    reply: async () => ({ status: 200, headers: {}, body: "{}" }),
    stream: async () => stream.reply,
    error: () => Promise.reject(new SluiceError("SESSION_NOT_FOUND")),
  };
  await withPair(({ body, note }) => {
    Object.assign(note!, { rpcMethod: "tools/call", tool: body, upstream: "up" });
    return replies[body]!();
  }, async (asker) => {
    for (const body of Object.keys(replies)) {
      const note = { correlationId: "c1", session: "s1" };
      await asker.forward(OWNER, { ...REQUEST, body, note }, never).catch(() => {});
      const noted = { rpcMethod: "tools/call", tool: body, upstream: "up" };
      assertEquals(note, { correlationId: "c1", session: "s1", ...noted });
    }
  });
});

Deno.test("WorkerPorts.forward() brings back what the owner notes while its stream is open", async () => {
  const stream = feed();
  let noted: CallNote | undefined;
  await withPair(({ note }) => {
    noted = note;
    return Promise.resolve(stream.reply);
  }, async (asker) => {
    const note: CallNote = { correlationId: "c1" };
    const reader = readerOf(await asker.forward(OWNER, { ...REQUEST, note }, never));
    noted!.code = "UPSTREAM_TIMEOUT";
    stream.close();
    assertEquals((await reader.read()).done, true);
    assertEquals(note.code, "UPSTREAM_TIMEOUT");
  });
});

Deno.test("WorkerPorts.disconnectFormer() tells a successor that waits for its predecessor", async () => {
  const { port1, port2 } = new MessageChannel();
  const successor = new WorkerPorts(() => Promise.reject(new Error("not asked")), memory);
  const predecessor = new WorkerPorts(() => new Promise(() => {}), memory);
  successor.connect(OWNER, port1);
  predecessor.connect(OWNER, port2);
  const waiting = successor.forward(OWNER, REQUEST, never);
  successor.disconnectFormer(OWNER);
  assertEquals((await assertRejects(() => waiting, SluiceError)).code, "WORKER_GONE");
  // And at once from then on.
  assertEquals(
    (await assertRejects(() => successor.forward(OWNER, REQUEST, never), SluiceError)).code,
    "WORKER_GONE",
  );
  predecessor.disconnect(OWNER);
});
