// Texts that are still arriving: bodies of a caller's requests, and answers of upstreams to its calls. Both count as its memory.
import { assert, assertEquals } from "@std/assert";
import { gzipSync } from "node:zlib";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { metric } from "../support/metric.ts";
import { RawConnection } from "../support/raw_http.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

/** Two texts of this size fit into one caller's half of 64 MiB, and a third does not. */
const CHARS = 12_000_000;
const ENV = { WORKERS: "1", MAX_CLIENT_MEMORY_MB: "64", MAX_BODY_BYTES: "13000000" };

/** A text that compression makes little smaller. */
function randomText(chars: number): string {
  const bytes = new Uint8Array(chars / 2);
  for (let at = 0; at < bytes.length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes.toHex();
}

const kept = (sluice: Sluice) => metric(sluice, "sluice_client_memory_bytes ");
const refusals = (sluice: Sluice) => metric(sluice, "sluice_client_memory_refusals_total ");
const isGivenBack = (sluice: Sluice) =>
  waitFor(async () => await kept(sluice) === 0, { what: "nothing to be kept for clients" });

Deno.test("Bodies that are still arriving count for their caller, who is refused more, and others are served", async () => {
  await using sluice = await Sluice.start({ env: ENV });
  const [ann, eve] = await Promise.all(
    ["ann", "eve"].map((username) => sluice.token({ username, admin: false })),
  );
  const heads = ["/rpc", "/mcp"].flatMap((path) =>
    [`content-length: ${CHARS + 1}`, "transfer-encoding: chunked"].map((length) =>
      `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${eve}\r\n` +
      `content-type: application/json\r\n${length}\r\n\r\n` +
      (length.startsWith("t") ? `${CHARS.toString(16)}\r\n` : "")
    )
  );
  for (const head of heads) {
    const part = new TextEncoder().encode(head + "1".repeat(CHARS));
    const connections: RawConnection[] = [];
    for (const count of [1, 2]) {
      const connection = await RawConnection.open(sluice.port);
      connections.push(connection);
      await connection.send(part);
      await waitFor(async () => await kept(sluice) === count * CHARS, { what: `${count} bodies to count` });
    }
    const before = await refusals(sluice);
    const third = await RawConnection.open(sluice.port);
    connections.push(third);
    // The answer may come, and the connection end, before all is sent.
    await third.send(part).catch(() => {});
    const { status, body } = await third.receive();
    assertEquals(status, 429, head);
    assert(new TextDecoder().decode(body).includes("CLIENT_MEMORY_FULL"), head);
    assertEquals(await refusals(sluice), before + 1);
    const ping = { jsonrpc: "2.0", id: 1, method: "ping", params: { _meta: { x: "x".repeat(1_000_000) } } };
    assertEquals((await post(sluice, ping, { token: ann!, path: "/rpc" })).status, 200);
    for (const connection of connections) connection.close();
    await isGivenBack(sluice);
  }
});

/** Its tools begin a large answer, each in its way, and end it when told to. */
function hesitant() {
  const pending: (() => void)[] = [];
  const text = randomText(CHARS);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, params } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    const results: Record<string, unknown> = {
      initialize: {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: "hesitant", version: "1" },
      },
      "tools/list": {
        tools: ["json", "gzip", "events"].map((name) => ({ name, inputSchema: { type: "object" } })),
      },
    };
    if (method !== "tools/call") return Response.json({ jsonrpc: "2.0", id, result: results[method] ?? {} });
    const { name } = params;
    const result = { content: [{ type: "text", text }] };
    const answer = JSON.stringify({ jsonrpc: "2.0", id, result });
    const whole = new TextEncoder().encode(name === "events" ? `data: ${answer}\n\n` : answer);
    const bytes = name === "gzip" ? new Uint8Array(gzipSync(whole, { level: 1 })) : whole;
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(bytes.subarray(0, -1_000));
        pending.push(() => {
          controller.enqueue(bytes.subarray(-1_000));
          controller.close();
        });
      },
    });
    return new Response(body, {
      headers: {
        "content-type": name === "events" ? "text/event-stream" : "application/json",
        ...(name === "gzip" ? { "content-encoding": "gzip" } : {}),
      },
    });
  });
  const url = `http://127.0.0.1:${server.addr.port}/mcp`;
  const goOn = () =>
    pending.splice(0).forEach((finish) => {
      try {
        finish();
      } catch {
        // The gateway has left.
      }
    });
  return { url, goOn, [Symbol.asyncDispose]: () => server.shutdown() };
}

Deno.test("Answers that are still arriving count for the caller of the call, who is refused more", async () => {
  await using upstream = hesitant();
  await using sluice = await Sluice.start({ env: ENV });
  await sluice.registerUpstream("up", upstream.url);
  const [ann, eve] = await Promise.all(
    ["ann", "eve"].map((username) => sluice.token({ username, admin: false })),
  );
  const session = await openSession(sluice, { token: eve! });
  const atRest = await kept(sluice);
  for (const tool of ["up-json", "up-gzip", "up-events"]) {
    const calls = [];
    for (const count of [1, 2]) {
      calls.push(post(sluice, toolCall(tool), { token: eve!, path: "/rpc" }));
      await waitFor(async () => await kept(sluice) > atRest + count * (CHARS - 100_000), {
        what: `${count} answers of ${tool} to count`,
      });
    }
    const before = await refusals(sluice);
    const { status, body } = await post(sluice, toolCall(tool), {
      token: eve,
      headers: inSession(session),
    });
    assertEquals([status, body.error.data.code], [200, "CLIENT_MEMORY_FULL"], tool);
    assertEquals(await refusals(sluice), before + 1);
    const anns = post(sluice, toolCall(tool), { token: ann!, path: "/rpc" });
    await waitFor(async () => await kept(sluice) > atRest + 3 * (CHARS - 100_000), { what: "ann's answer" });
    upstream.goOn();
    for (const each of [...calls, anns]) {
      const { body } = await each;
      assertEquals(body.result?.content[0].text.length, CHARS, JSON.stringify(body).slice(0, 300));
    }
    await waitFor(async () => await kept(sluice) === atRest, { what: `${tool} to keep nothing` });
  }
});
