import { assertEquals, assertRejects } from "@std/assert";
import { Cancellation } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import { settled } from "../../../tests/support/fake_clock.ts";
import { FakeUpstream, result } from "../../../tests/support/fake_upstream.ts";
import { probeUpstream } from "./probe.ts";

const options = () => ({
  clientInfo: { name: "sluice", version: "1" },
  timeoutMs: 1_000,
  signal: new Cancellation(),
});
const STATEFUL = { stateful: true, protocolVersion: "2025-11-25" };
const STATELESS = { stateful: false, protocolVersion: "2025-11-25" };

Deno.test("probeUpstream() opens a session, pings in it and ends it", async () => {
  const upstream = new FakeUpstream();
  await probeUpstream(upstream.transport(), STATEFUL, options());
  await settled();
  assertEquals(upstream.methods, ["initialize", "notifications/initialized", "ping", "DELETE"]);
  assertEquals(upstream.received.map(({ sessionId }) => sessionId), [null, "s1", "s1", "s1"]);
});

Deno.test("probeUpstream() asks an upstream without sessions for a ping alone", async () => {
  const upstream = new FakeUpstream();
  upstream.stateful = false;
  await probeUpstream(upstream.transport(), STATELESS, options());
  assertEquals(upstream.methods, ["ping"]);
});

Deno.test("probeUpstream() finds out that an upstream keeps sessions by now", async () => {
  const upstream = new FakeUpstream(({ method, sessionId }) =>
    method === "ping" && sessionId === null ? { status: 400, body: "Mcp-Session-Id is missing" } : undefined
  );
  await probeUpstream(upstream.transport(), STATELESS, options());
  await settled();
  assertEquals(upstream.methods, ["ping", "initialize", "notifications/initialized", "ping", "DELETE"]);
});

Deno.test("probeUpstream() takes an error in answer to the ping for an answer", async () => {
  const upstream = new FakeUpstream(({ method, id }) => {
    if (method !== "ping") return undefined;
    const answer = result(id, "{}");
    return {
      ...answer,
      body: JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } }),
    };
  });
  await probeUpstream(upstream.transport(), STATEFUL, options());
});

Deno.test("probeUpstream() fails with what the upstream does wrong, and ends the session all the same", async () => {
  const upstream = new FakeUpstream(({ method }) => method === "ping" ? { status: 401 } : undefined);
  const error = await assertRejects(
    () => probeUpstream(upstream.transport(), STATEFUL, options()),
    SluiceError,
  );
  assertEquals(error.code, "UPSTREAM_AUTH_FAILED");
  await settled();
  assertEquals(upstream.methods.at(-1), "DELETE");
});

Deno.test("probeUpstream() ends with its signal", async () => {
  const upstream = new FakeUpstream(() => new Promise(() => {}));
  const given = options();
  const probing = probeUpstream(upstream.transport(), STATEFUL, given);
  await settled();
  given.signal.cancel(new Error("given up"));
  await assertRejects(() => probing, Error, "given up");
});

Deno.test("probeUpstream() asks a stateless upstream server/discover, also where nobody knew that it is one", async () => {
  for (const row of [{ stateful: false, protocolVersion: "2026-07-28" }, STATEFUL]) {
    const upstream = new FakeUpstream();
    upstream.revisions = "stateless";
    await probeUpstream(upstream.transport(), row, options());
    assertEquals(upstream.methods.at(-1), "server/discover");
  }
});
