// Upstreams that have lost a session and say so in their own words.
import { assertEquals } from "@std/assert";
import { type FakeAnswer, FakeUpstream, type Received, refusal } from "../../tests/support/fake_upstream.ts";
import { settled } from "../../tests/support/fake_clock.ts";
import { upstreamDeps, upstreamProfile } from "../../tests/support/upstream_deps.ts";
import { BoundSessions } from "./bound/bound_sessions.ts";
import { Upstream, type UpstreamCall } from "./upstream.ts";

const call = (bound: BoundSessions | null, more: Partial<UpstreamCall> = {}): UpstreamCall => ({
  bound,
  token: { issuer: "i", subject: "ann", reach: "", user: "u@x.example" },
  received: new Headers(),
  revision: "2025-11-25",
  timeoutMs: 1_000,
  timeoutSetting: "TOOL_TIMEOUT",
  ...more,
});

/** What a server says of a session that it does not know. */
type Said = (request: Received) => FakeAnswer;

const text = (status: number, body: string): Said => () => ({
  status,
  headers: { "content-type": "text/plain" },
  body,
});
const rpcError = (status: number, code: number, message: string, id?: null): Said => (request) =>
  refusal(id === null ? null : request.id, status, { code, message });

const UNEXECUTED: Readonly<Record<string, Said>> = {
  "404": text(404, "session not found"),
  "400 not initialized": rpcError(400, -32000, "Bad Request: Server not initialized", null),
  "400 not initialized, with the id": rpcError(400, -32000, "Bad Request: Server not initialized"),
  "401 text": text(401, "Unauthorized: Session not found"),
  "401 JSON": () => ({
    status: 401,
    headers: { "content-type": "application/json" },
    body: '{"error":"no"}',
  }),
  "403": text(403, "does not belong to this principal"),
  "403 page": () => ({ status: 403, headers: { "content-type": "text/html" }, body: "<p>no</p>" }),
  "410": () => ({ status: 410 }),
  "422": text(422, "Unexpected message, expect initialize request"),
  "500 that names the session": text(500, "Session not found"),
  "503 that names the session": rpcError(503, -32001, "MCP session unknown or expired", null),
  "200 session not found": rpcError(200, -32001, "Session not found"),
  "200 not initialized": rpcError(200, -32002, "Server not initialized"),
  "200 invalid parameters": rpcError(200, -32602, "Invalid request parameters"),
  "200 without the id": rpcError(200, -32600, "who are you", null),
  "200 login page": () => ({ headers: { "content-type": "text/html" }, body: "<h1>Log in</h1>" }),
  "200 without a body": () => ({ headers: { "content-type": "application/json" }, body: "" }),
};

const MAYBE_EXECUTED: Readonly<Record<string, Said>> = {
  "500": text(500, "Internal Server Error"),
  "503": () => ({ status: 503 }),
};

/** An upstream that forgets its sessions when told to, and counts the calls that it executes. */
class Forgetful {
  readonly fake: FakeUpstream;
  readonly upstream: Upstream;
  readonly bound = new BoundSessions();
  executed = 0;
  lost = 0;
  readonly #known = new Set<string>();
  readonly #ask: () => Promise<{ readonly text: string }>;

  constructor(said: Said, isPooled: boolean) {
    this.fake = new FakeUpstream((request) => this.#script(request, said));
    const deps = upstreamDeps({ poolEnabled: isPooled, onSessionLost: () => this.lost++ });
    this.upstream = new Upstream(upstreamProfile(), this.fake.transport(), deps);
    const { bound } = this;
    this.#ask = () => this.upstream.request("tools/call", "{}", call(isPooled ? null : bound));
  }

  ask(): Promise<string> {
    return this.#ask().then(({ text }) => text, ({ code }) => code);
  }

  forget(): void {
    this.#known.clear();
  }

  count(method: string): number {
    return this.fake.methods.filter((sent) => sent === method).length;
  }

  #script(request: Received, said: Said): FakeAnswer | undefined {
    const { method, sessionId } = request;
    if (method === "initialize") return void this.#known.add(`s${this.count("initialize")}`);
    if (method === "DELETE") return undefined;
    if (!this.#known.has(sessionId ?? "")) return said(request);
    if (method === "tools/call") this.executed++;
  }
}

const OK = '{"ok":true}';

Deno.test("Upstream.request() makes a refused call again in a new session, whatever a lost session is called", async () => {
  for (const [name, said] of Object.entries(UNEXECUTED)) {
    for (const isPooled of [false, true]) {
      const server = new Forgetful(said, isPooled);
      const where = `${name}, ${isPooled ? "pooled" : "bound"}`;
      for (let round = 1; round <= 2; round++) {
        assertEquals(await server.ask(), OK, where);
        server.forget();
        assertEquals(await server.ask(), OK, where);
        await settled();
      }
      assertEquals([server.executed, server.count("initialize")], [4, 3], where);
      if (!isPooled) assertEquals([server.bound.size, server.lost], [1, name === "404" ? 0 : 2], where);
    }
  }
});

Deno.test("Upstream.request() makes no call again that a failing server may have executed, and the next one works", async () => {
  for (const [name, said] of Object.entries(MAYBE_EXECUTED)) {
    for (const isPooled of [false, true]) {
      const server = new Forgetful(said, isPooled);
      const where = `${name}, ${isPooled ? "pooled" : "bound"}`;
      await server.ask();
      server.forget();
      assertEquals(await server.ask(), "UPSTREAM_HTTP_ERROR", where);
      assertEquals(await server.ask(), OK, where);
      assertEquals([server.executed, server.count("tools/call")], [2, 3], where);
    }
  }
});

Deno.test("Upstream.request() replaces a lost session once for calls that meet the loss together", async () => {
  const server = new Forgetful(UNEXECUTED["401 text"]!, false);
  await server.ask();
  server.forget();
  assertEquals(await Promise.all([server.ask(), server.ask(), server.ask()]), [OK, OK, OK]);
  assertEquals([server.executed, server.count("initialize"), server.bound.size], [4, 2, 1]);
});

Deno.test("Upstream.request() takes no session from a client whose calls fail for their own reasons", async () => {
  const answers: FakeAnswer[] = [
    { status: 401, body: "no" },
    { status: 403, body: "session" },
    { status: 500 },
    { headers: { "content-type": "text/html" }, body: "<p>" },
  ];
  for (const answer of [...answers, undefined]) {
    const fake = new FakeUpstream(({ method, id }) => {
      if (method !== "tools/call") return undefined;
      return answer ?? refusal(id, 200, { code: -32602, message: "Invalid params" });
    });
    const upstream = new Upstream(upstreamProfile(), fake.transport(), upstreamDeps());
    const bound = new BoundSessions();
    for (let i = 0; i < 20; i++) await upstream.request("tools/call", "{}", call(bound)).catch(() => {});
    const count = (method: string) => fake.methods.filter((sent) => sent === method).length;
    assertEquals([count("tools/call"), count("initialize"), count("ping"), bound.size], [20, 1, 1, 1]);
  }
});

Deno.test("Upstream.request() opens no session after the other at an upstream that refuses everything in each", async () => {
  for (const status of [401, 403, 410, 422, 500, 503]) {
    for (const isPooled of [false, true]) {
      const fake = new FakeUpstream(({ method, id }) =>
        method === "initialize" || id === undefined ? undefined : { status }
      );
      const upstream = new Upstream(
        upstreamProfile(),
        fake.transport(),
        upstreamDeps({ poolEnabled: isPooled }),
      );
      const bound = new BoundSessions();
      const ask = () => upstream.request("tools/call", "{}", call(isPooled ? null : bound)).catch(() => {});
      for (let i = 0; i < 20; i++) await ask();
      const count = (method: string) => fake.methods.filter((sent) => sent === method).length;
      const where = `${status} ${isPooled ? "pooled" : "bound"}`;
      assertEquals(count("tools/call") <= 21 && count("ping") <= 3, true, `${where}: ${fake.methods}`);
      // A pooled session does not serve again after a failed call.
      if (!isPooled) assertEquals([count("initialize"), bound.size], [2, 1], where);
    }
  }
});

Deno.test("Upstream.request() keeps a session that answers again when the new one does", async () => {
  let isAway = false;
  const fake = new FakeUpstream(({ method }) => {
    if (method === "initialize") isAway = false;
    return isAway && method !== "DELETE" ? { status: 503 } : undefined;
  });
  const upstream = new Upstream(upstreamProfile(), fake.transport(), upstreamDeps());
  const bound = new BoundSessions();
  const ask = () =>
    upstream.request("tools/call", "{}", call(bound)).then(({ text }) => text, ({ code }) => code);
  await ask();
  isAway = true;
  assertEquals(await ask(), "UPSTREAM_HTTP_ERROR");
  assertEquals(await ask(), OK);
  const calls = fake.received.filter(({ method }) => method === "tools/call");
  assertEquals(calls.map(({ sessionId }) => sessionId), ["s1", "s1", "s1"]);
});

Deno.test("Upstream.request() gives the failure of its call when no new session can be opened", async () => {
  let isDown = false;
  const fake = new FakeUpstream(({ method, id }) => {
    if (!isDown || method === "DELETE") return undefined;
    return method === "initialize" ? { status: 503 } : refusal(id, 200, { code: -32001, message: "who?" });
  });
  const upstream = new Upstream(upstreamProfile(), fake.transport(), upstreamDeps());
  const bound = new BoundSessions();
  const ask = () =>
    upstream.request("tools/call", "{}", call(bound)).then(({ text }) => text, ({ code }) => code);
  await ask();
  isDown = true;
  for (let i = 0; i < 3; i++) assertEquals(await ask(), '{"code":-32001,"message":"who?"}');
  assertEquals(fake.methods.filter((method) => method === "initialize").length, 2);
});
