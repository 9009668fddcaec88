// Malformed bodies, headers and connections against a running gateway: it answers what it should, and nothing else happens.

import { assert, assertEquals } from "@std/assert";
import { FastUpstream } from "../support/fast_upstream.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { brokenHttp, type FuzzTarget, oddRequest } from "../support/fuzz_requests.ts";
import { Prng } from "../support/prng.ts";
import { listeningSockets, openFds, rssBytes, settledRssBytes } from "../support/process_stats.ts";
import { PeerClosed, RawConnection, type RawResponse } from "../support/raw_http.ts";
import { waitFor } from "../support/wait_for.ts";

/** Every run sends this many. For a long one: FUZZ_REQUESTS=400000 FUZZ_SEED=$RANDOM. */
const ODD_REQUESTS = Number(Deno.env.get("FUZZ_REQUESTS") ?? 20_000);
/** What is made once is made by then: compiled code, pools, tables of the allocator. After 15,000 the heap still grows by 16 to 32 MiB. */
const WARM_UP_REQUESTS = 40_000;
const BROKEN_CONNECTIONS = ODD_REQUESTS / 20;
/** A cluster gets so much less: what differs there is the load balancer, which opens a connection for each request. */
const CLUSTER_SHARE = 1 / 8;
const CONNECTIONS = 8;
/** So often a client begins a new session: some of what is sent ends the old one. */
const REQUESTS_PER_SESSION = 200;
const MAX_RSS_GROWTH_BYTES = 16 * 1024 * 1024;
const SEED = Number(Deno.env.get("FUZZ_SEED") ?? 20_251_125);

gatewayTest(`/rpc and /mcp survive malformed requests by the thousand (FUZZ_SEED=${SEED})`, async (start) => {
  const upstream = FastUpstream.start();
  try {
    // What is kept of streams for clients that come back is let go within the warm-up.
    await using sluice = await start({ STREAM_RESUME_WINDOW: "0.5" });
    await sluice.registerUpstream("time", upstream.url);
    const share = sluice.processes.length === 1 ? 1 : CLUSTER_SHARE;
    const workers = sluice.processes.map(({ port }) => listeningSockets(port));
    assertEquals(workers.map((each) => each.length), sluice.processes.map(() => 2));

    await fuzz(sluice, SEED + 1_000, WARM_UP_REQUESTS * share);
    // In a cluster's share a leak would not show beside what is made once.
    const measured = share === 1 ? sluice.processes : [];
    const rss = await Promise.all(measured.map(({ pid }) => settledRssBytes(pid)));
    const before = { rss, fds: sluice.processes.map(({ pid }) => openFds(pid)) };
    const statuses = await fuzz(sluice, SEED, ODD_REQUESTS * share);
    await breakHttp(sluice, { seed: SEED, connections: BROKEN_CONNECTIONS * share });

    const answered = [...statuses.values()].reduce((sum, count) => sum + count, 0);
    assert(answered > 0.99 * ODD_REQUESTS * share, `only ${answered} were answered: ${show(statuses)}`);
    // Both ways of answering were met: a run in which everything is refused at the door tests only the door.
    assert(
      (statuses.get(200) ?? 0) > 1_000 * share && (statuses.get(400) ?? 0) > 1_000 * share,
      `statuses: ${show(statuses)}`,
    );
    const { body } = await sluice.rpc("tools/call", { name: "time-echo", arguments: { message: "alive" } });
    assertEquals(body.result.content[0].text, "alive");
    assertEquals(
      sluice.processes.map(({ port }) => listeningSockets(port)),
      workers,
      "a worker was replaced",
    );
    assertEquals(sluice.log().filter(({ level }) => level === "ERROR"), []);
    for (const [i, { pid }] of sluice.processes.entries()) {
      await waitFor(() => openFds(pid) <= before.fds[i]! + CONNECTIONS, {
        what: "file descriptors to be closed",
      });
    }
    for (const [i, { pid }] of measured.entries()) {
      // What is garbage is collected when the process has had nothing to do for a while: on a busy machine that takes longer.
      await waitFor(() => rssBytes(pid) < before.rss[i]! + MAX_RSS_GROWTH_BYTES, {
        what: "the memory to be given back",
        everyMs: 500,
      });
    }
  } finally {
    await upstream.close();
  }
});

/** Sends `count` odd requests over several connections. @returns how often each status came */
async function fuzz(sluice: Gateway, seed: number, count: number): Promise<Map<number, number>> {
  const statuses = new Map<number, number>();
  await Promise.all(Array.from({ length: CONNECTIONS }, async (_, client) => {
    const random = new Prng(seed + client);
    let connection: RawConnection | undefined;
    let target: FuzzTarget | undefined;
    for (let sent = 0; sent < count / CONNECTIONS; sent++) {
      if (!target || sent % REQUESTS_PER_SESSION === 0) target = await newTarget(sluice);
      const { bytes, headOnly } = oddRequest(random, target);
      connection ??= await RawConnection.open(sluice.port);
      try {
        await connection.send(bytes);
        const response = await connection.receive({ headOnly });
        checkResponse(response, bytes, headOnly);
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        if (response.reusable) continue;
      } catch (error) {
        // A server may close in the middle of a request that it refuses.
        if (!(error instanceof PeerClosed || isReset(error))) throw error;
      }
      connection.close();
      connection = undefined;
    }
    connection?.close();
  }));
  return statuses;
}

async function breakHttp(
  sluice: Gateway,
  { seed, connections }: { readonly seed: number; readonly connections: number },
): Promise<void> {
  const target = await newTarget(sluice);
  await Promise.all(Array.from({ length: CONNECTIONS }, async (_, client) => {
    const random = new Prng(seed - 1 - client);
    for (let sent = 0; sent < connections / CONNECTIONS; sent++) {
      using connection = await RawConnection.open(sluice.port);
      const bytes = brokenHttp(random, target);
      try {
        await connection.send(bytes);
        const answer = new TextDecoder("latin1").decode(await connection.sendEnd());
        for (const [, status] of answer.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)) {
          // 505: HTTP Version Not Supported; 501 is what nginx says of transfer codings.
          assert(Number(status) < 500 || ["501", "505"].includes(status!), `${status} to ${excerpt(bytes)}`);
        }
      } catch (error) {
        if (!isReset(error)) throw error;
      }
    }
  }));
}

async function newTarget(sluice: Gateway): Promise<FuzzTarget> {
  const token = await sluice.token();
  const response = await fetch(`${sluice.url}/mcp`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "fuzz", version: "1" } },
    }),
  });
  await response.text();
  assertEquals(response.status, 200);
  return { token, sessionId: response.headers.get("mcp-session-id")! };
}

/** An HTTP error in JSON or without a body, or what JSON-RPC has to say; never a 5xx, never "internal error". */
function checkResponse({ status, headers, body }: RawResponse, sent: Uint8Array, headOnly: boolean): void {
  const text = new TextDecoder().decode(body);
  const context = `${status} ${text.slice(0, 300)} to ${excerpt(sent)}`;
  // What nginx refuses by itself never came to the gateway; a 502 would say that the gateway broke off.
  if (text.includes("<center>nginx")) return assert([400, 405, 413, 414, 501].includes(status), context);
  assert(status < 500, context);
  if (headOnly || text === "") {
    assert(headOnly || status === 202 || status === 204 || status >= 400, `empty: ${context}`);
    return;
  }
  const type = headers.get("content-type") ?? "";
  if (type.startsWith("text/event-stream")) {
    for (const [, data] of text.matchAll(/^data: ?(\S.*)$/gm)) checkMessage(JSON.parse(data), context);
    return;
  }
  assert(type.startsWith("application/json"), `${type}: ${context}`);
  const parsed = JSON.parse(text);
  if (status === 200 && Array.isArray(parsed)) {
    assert(parsed.length > 0, context);
    for (const message of parsed) checkMessage(message, context);
  } else if (status >= 400 && parsed.jsonrpc === undefined) {
    assert(parsed.detail !== undefined, context);
  } else {
    checkMessage(parsed, context);
  }
}

function checkMessage(message: Record<string, unknown>, context: string): void {
  assertEquals(message.jsonrpc, "2.0", context);
  if (typeof message.method === "string") return;
  assert(("result" in message) !== ("error" in message), context);
  assert(message.id === null || ["string", "number"].includes(typeof message.id), context);
  if ("result" in message) return;
  const { code, message: words } = message.error as { code: unknown; message: unknown };
  assert(Number.isInteger(code) && typeof words === "string", context);
  assert(code !== -32603, context);
}

function isReset(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.NotConnected;
}

function excerpt(bytes: Uint8Array): string {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, 1_500));
  // The token is good for an hour.
  return JSON.stringify(text.replace(/Bearer ey[\w-]+\.[\w-]+\.[\w-]+/g, "Bearer (valid)"));
}

function show(statuses: ReadonlyMap<number, number>): string {
  return [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`).join(", ");
}
