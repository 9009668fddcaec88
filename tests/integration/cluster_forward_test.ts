// Requests between replicas over real connections: what crosses, what is refused, and what becomes of either side's end.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Cancellation, type CancelSignal } from "../../src/base/cancellation.ts";
import { systemClock } from "../../src/base/clock.ts";
import { SluiceError } from "../../src/base/errors.ts";
import type { McpReply, McpRequest } from "../../src/downstream/exchange/mcp_exchange.ts";
import { readText } from "../../src/http/body.ts";
import { ClientWatch } from "../../src/http/client_watch.ts";
import { Http1Client } from "../../src/upstream/http_client/http1_client.ts";
import { encodeRequest } from "../../src/cluster/envelope.ts";
import { FORWARD_PATH, ForwardClient, ReplicaGone } from "../../src/cluster/forward_client.ts";
import { ForwardEndpoint } from "../../src/cluster/forward_endpoint.ts";
import {
  FORWARD_FORMAT,
  ReplicaSignatures,
  SIGNATURE_WINDOW_MS,
  UsedNonces,
} from "../../src/cluster/request_signature.ts";
import { Admission } from "../../src/http/limits/admission.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { principal } from "../support/fakes.ts";
import { freePort } from "../support/free_port.ts";
import { RawConnection } from "../support/raw_http.ts";
import { waitFor } from "../support/wait_for.ts";

const NUMBER = 7;
const SECRET = "the secret of all replicas";
const NEVER = new Cancellation();

type Serve = (worker: number, request: McpRequest, signal: CancelSignal) => Promise<McpReply>;

const REQUEST: McpRequest = {
  method: "POST",
  principal: principal(),
  serverId: null,
  sessionId: "s",
  headers: new Headers({ "x-tenant-id": "t1", "x-greek": "\u00e9" }),
  protocolVersion: "2025-11-25",
  acceptsStream: true,
  acceptsJson: true,
  body: '{"n":1.0,\n"text":"ü"}',
  note: { correlationId: "c" },
};

/** A replica that serves, and how others come to it. */
function replica(serve: Serve, { secret = SECRET, clock = systemClock, requests = 10 } = {}) {
  const clients = new ClientWatch();
  const admission = new Admission({ requests, streams: 10 });
  const endpoint = new ForwardEndpoint({
    signatures: new ReplicaSignatures(SECRET),
    admission,
    clock: systemClock,
    replica: { now: NUMBER },
    registration: { confirm: () => Promise.resolve(), renew: () => Promise.resolve() },
    readBody: (request) => readText(request, 100_000),
    clients,
    serve,
  });
  const codes: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request, info) => {
    try {
      return await endpoint.serve({ request, path: FORWARD_PATH, principal: principal(), info });
    } catch (error) {
      const { code, row } = error as SluiceError;
      codes.push(code);
      return new Response(code, { status: row.http, headers: endpoint.failureHeaders });
    }
  });
  const isGone = { value: false };
  const client = new ForwardClient({
    http: new Http1Client({
      maxConnections: 10,
      maxKeepaliveConnections: 10,
      keepaliveExpiryMs: 5_000,
      connectTimeoutMs: 2_000,
      readTimeoutMs: 2_000,
      writeTimeoutMs: 2_000,
      poolTimeoutMs: 2_000,
      maxHeadBytes: 65_536,
      checkAddress: () => {},
    }),
    signatures: new ReplicaSignatures(secret),
    directory: { find: () => Promise.resolve(isGone.value ? null : address) },
    clock,
  });
  const address = `http://127.0.0.1:${server.addr.port}`;
  return {
    address,
    codes,
    admission,
    isGone,
    forward: (request = REQUEST, { number = NUMBER, to = address, signal = NEVER as CancelSignal } = {}) =>
      client.forward({ replica: number, address: to, worker: 3 }, request, signal),
    [Symbol.asyncDispose]: async () => {
      client.close();
      clients.close();
      await server.shutdown();
    },
  };
}

const code = async (run: () => Promise<unknown>) => (await assertRejects(run, SluiceError)).code;

Deno.test("A request crosses to the other replica as it is, and its reply and what was noted come back", async () => {
  const seen: [number, McpRequest][] = [];
  const reply: McpReply = { status: 202, headers: { "x-y": "z" }, body: null };
  await using other = replica((worker, request) => {
    seen.push([worker, request]);
    request.note!.tool = "t";
    return Promise.resolve(reply);
  });
  const note = { correlationId: "c" };
  assertEquals(await other.forward({ ...REQUEST, note }), reply);
  const [worker, { headers, note: _, forwardedAs, ...rest }] = seen[0]!;
  const { headers: __, note: ___, ...sent } = REQUEST;
  const listed: [string, string][] = [];
  headers.forEach((value, name) => listed.push([name, value]));
  assertEquals([worker, rest, listed], [3, sent, [...REQUEST.headers as Headers]]);
  assert(forwardedAs!.length > 20);
  assertEquals(note, { correlationId: "c", tool: "t" } as typeof note);
});

Deno.test("A failure at the other replica comes back with its code, params and data", async () => {
  await using other = replica(() =>
    Promise.reject(
      new SluiceError("UPSTREAM_CLOSED", { upstream: "replica", sent: 0 }, { data: { n: 1 }, cause: "why" }),
    )
  );
  const error = await assertRejects(() => other.forward(), SluiceError);
  assertEquals([error.code, error.params.sent, error.data, error.cause], [
    "UPSTREAM_CLOSED",
    0,
    { n: 1 },
    "why",
  ]);
});

Deno.test("A stream crosses chunk by chunk, and ends on the other side when its client leaves", async () => {
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  await using other = replica(() =>
    Promise.resolve({
      status: 200,
      headers: { "content-type": "text/event-stream" },
      body: new ReadableStream<Uint8Array>({
        start: (given) => void (controller = given),
        cancel: () => resolve(),
      }),
    })
  );
  const reply = await other.forward({ ...REQUEST, method: "GET", body: "" });
  assertEquals([reply.status, reply.headers["content-type"]], [200, "text/event-stream"]);
  const reader = (reply.body as ReadableStream<Uint8Array>).getReader();
  for (const text of ["data: 1\n\n", "data: 2\n\n"]) {
    controller.enqueue(new TextEncoder().encode(text));
    assertEquals(new TextDecoder().decode((await reader.read()).value), text);
  }
  await reader.cancel();
  const timer = setInterval(() => {
    try {
      controller.enqueue(new TextEncoder().encode(": still there?\n\n"));
    } catch {
      // Cancelled.
    }
  }, 20);
  await cancelled;
  clearInterval(timer);
});

Deno.test("What no replica has signed for this one now is refused unserved", async () => {
  let served = 0;
  const serve: Serve = () => (served++, Promise.resolve({ status: 200, headers: {}, body: "{}" }));
  await using stranger = replica(serve, { secret: "another" });
  assertEquals(await code(() => stranger.forward()), "REPLICA_UNREACHABLE");
  const late = new FakeClock();
  await using slow = replica(serve, { clock: late });
  const refused = await assertRejects(() => slow.forward(), SluiceError);
  assertEquals([refused.code, String(refused.cause).includes("clocks")], ["REPLICA_UNREACHABLE", true]);
  assertEquals([stranger.codes, slow.codes], [["UNAUTHENTICATED"], ["UNAUTHENTICATED"]]);

  const signatures = new ReplicaSignatures(SECRET);
  const post = async (body: string, signed: string, more: Record<string, string> = {}) => {
    const voucher = { replica: NUMBER, worker: 3, at: Date.now(), nonce: "n" };
    const response = await fetch(stranger.address + FORWARD_PATH, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...Object.fromEntries(signatures.requestHeaders(voucher, signed)),
        ...more,
      },
      body,
    });
    await response.body?.cancel();
    return response.status;
  };
  const text = encodeRequest(REQUEST);
  assertEquals(await post(text.replace("x-tenant-id", "x-tenant-ix"), text), 401);
  for (
    const [name, value] of [
      ["sluice-replica", "8"],
      ["sluice-worker", "2"],
      ["sluice-nonce", "m"],
      ["sluice-time", "x"],
      ["sluice-time", String(Date.now() + 1_000)],
      ["sluice-digest", "0".repeat(64)],
      ["sluice-signature", "\u00e9".repeat(64)],
    ] as const
  ) {
    assertEquals([name, await post(text, text, { [name]: value })], [name, 401]);
  }
  assertEquals(served, 0);
  assertEquals(await post(text, text), 200);
  assertEquals(served, 1);
});

Deno.test("A request that no replica has signed is refused before its body comes, and takes no place from those of replicas", async () => {
  const { promise: never, resolve: end } = Promise.withResolvers<McpReply>();
  await using other = replica(() => never, { requests: 1 });
  const { port } = new URL(other.address);
  const send = async (more: Record<string, string>) => {
    using connection = await RawConnection.open(Number(port));
    const headers = { host: "replica", "content-type": "application/json", "content-length": "10", ...more };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    await connection.send(new TextEncoder().encode(`POST ${FORWARD_PATH} HTTP/1.1\r\n${lines}\r\n{`));
    return (await connection.receive({ headOnly: true })).status;
  };
  const format = { "sluice-format": FORWARD_FORMAT };
  for (let i = 0; i < 3; i++) {
    assertEquals(await send({ ...format, "sluice-signature": "0".repeat(64) }), 401);
  }
  const first = other.forward();
  await waitFor(() => other.admission.requestsInFlight === 1, { what: "the request" });
  assertEquals(await send(format), 401);
  assertEquals(await code(() => other.forward()), "OVERLOADED");
  end({ status: 200, headers: {}, body: "{}" });
  await first;
  await waitFor(() => other.admission.requestsInFlight === 0, { what: "the end of the request" });
  assertEquals((await other.forward()).body, "{}");
});

Deno.test("A stranger gets the same answer whatever its request says", async () => {
  await using other = replica(() => Promise.reject(new Error("nothing is served")));
  const answers = new Set<string>();
  const signature = "0".repeat(64);
  for (const method of ["POST", "GET", "DELETE"]) {
    for (
      const headers of [{}, { "sluice-format": FORWARD_FORMAT }, {
        "sluice-format": "1",
        "sluice-signature": signature,
      }]
    ) {
      const response = await fetch(other.address + FORWARD_PATH, { method, headers: headers as HeadersInit });
      const { date: _, ...rest } = Object.fromEntries(response.headers);
      answers.add(JSON.stringify([response.status, rest, await response.text()]));
    }
  }
  const [answer] = answers;
  assertEquals([answers.size, answer!.startsWith("[401,")], [1, true], [...answers].join("\n"));
});

Deno.test("Replicas of different formats refuse each other's requests with a word", async () => {
  let served = 0;
  await using other = replica(() => (served++, Promise.resolve({ status: 200, headers: {}, body: "{}" })));
  // As format 1 was: the worker was a member of the body, and no header named a format. Strangers do not either.
  const former = await fetch(other.address + FORWARD_PATH, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "sluice-replica": "7",
      "sluice-signature": "0".repeat(64),
    },
    body: '{"worker":0,"request":{}}\n{}',
  });
  assertEquals([former.status, former.headers.get("sluice-format"), served], [401, FORWARD_FORMAT, 0]);
  await former.body?.cancel();
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const newer = Deno.serve(
    options,
    () => new Response("", { status: 502, headers: { "sluice-format": "99" } }),
  );
  const older = Deno.serve(options, () => new Response("", { status: 401 }));
  const failure = (server: typeof newer) =>
    assertRejects(() => other.forward(REQUEST, { to: `http://127.0.0.1:${server.addr.port}` }), SluiceError);
  const [fromNewer, fromOlder] = [await failure(newer), await failure(older)];
  assertEquals([fromNewer.code, fromOlder.code], ["REPLICA_INCOMPATIBLE", "REPLICA_UNREACHABLE"]);
  assertStringIncludes(String(fromNewer.cause), "format 99");
  assertStringIncludes(String(fromOlder.cause), "their versions");
  await Promise.all([newer.shutdown(), older.shutdown()]);
});

Deno.test("A replica under another number, and a port where nobody listens, are gone; one that is overloaded is not", async () => {
  await using other = replica(() => Promise.resolve({ status: 200, headers: {}, body: "{}" }));
  await assertRejects(() => other.forward(REQUEST, { number: 8 }), ReplicaGone);
  await assertRejects(() => other.forward(REQUEST, { to: `http://127.0.0.1:${freePort()}` }), ReplicaGone);
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const busy = Deno.serve(options, () => new Response("busy", { status: 503 }));
  assertEquals(
    await code(() => other.forward(REQUEST, { to: `http://127.0.0.1:${busy.addr.port}` })),
    "OVERLOADED",
  );
  await busy.shutdown();
});

Deno.test("A replica that stands still is waited for until it is registered no more", async () => {
  const { promise: never, resolve: end } = Promise.withResolvers<McpReply>();
  await using other = replica(() => never);
  const waiting = assertRejects(() => other.forward(), SluiceError);
  other.isGone.value = true;
  assertEquals((await waiting).code, "REPLICA_UNREACHABLE");
  end({ status: 200, headers: {}, body: null });
});

Deno.test("UsedNonces takes each once, for as long as its request is good", async () => {
  const clock = new FakeClock();
  const nonces = new UsedNonces(clock);
  assertEquals([nonces.take("a"), nonces.take("a"), nonces.take("b")], [true, false, true]);
  for (let passed = 0; passed < 2 * SIGNATURE_WINDOW_MS; passed += SIGNATURE_WINDOW_MS / 2) {
    assertEquals(nonces.take("a"), false);
    await clock.tick(SIGNATURE_WINDOW_MS / 2);
    nonces.take(`other ${passed}`);
  }
  await clock.tick(4 * SIGNATURE_WINDOW_MS);
  nonces.take("c");
  await clock.tick(2 * SIGNATURE_WINDOW_MS);
  assertEquals(nonces.take("d"), true);
  assertEquals(nonces.take("a"), true);
});
