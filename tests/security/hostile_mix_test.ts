// Everybody at once: callers of every kind, every endpoint, upstreams that answer badly, and faults meanwhile. Whatever comes, an answer
// is one that the error table has, in time, without a secret; and the gateway still serves when it is over.
import { assert, assertEquals, AssertionError } from "@std/assert";
import fc from "fast-check";
import { ERRORS } from "../../src/base/errors.ts";
import { FORMAT_HEADER, FORWARD_FORMAT } from "../../src/cluster/request_signature.ts";
import { FastUpstream } from "../support/fast_upstream.ts";
import { type CallerName, CALLERS, INPUT, type Input } from "../support/hostile_inputs.ts";
import { HostileUpstream } from "../support/hostile_upstream.ts";
import { INITIALIZE, inSession, post, toolCall } from "../support/mcp_post.ts";
import { assertWithin } from "../support/pace.ts";
import { rssBytes } from "../support/process_stats.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { Sluice } from "../support/sluice.ts";
import { mintToken } from "../support/tokens.ts";
import { waitFor } from "../support/wait_for.ts";

/** Every run sends this many. For a long one: HOSTILE_INPUTS=200000 HOSTILE_SEED=$RANDOM. */
const INPUTS = Number(Deno.env.get("HOSTILE_INPUTS") ?? 20_000);
const SEED = Number(Deno.env.get("HOSTILE_SEED") ?? 20_261_129);
const CLIENTS = 24;
/** Inputs are made in pieces, and a piece again from its seed. */
const PIECE = 500;
const INPUTS_PER_FAULT = 500;
/** Memory that is made once is made by this share of the inputs. */
const WARM_UP_SHARE = 0.25;
const MAX_RSS_GROWTH_BYTES = 48 * 1024 * 1024;
const TOOL_TIMEOUT_MS = 500;
/** A refusal, or the longest call, and a second. */
const ANSWER_MS = TOOL_TIMEOUT_MS + 1_000;

/** What a run must have met, to have tried the upstreams' ways and the faults. */
const MET = [
  ...["UPSTREAM_TIMEOUT", "UPSTREAM_CLOSED", "UPSTREAM_HTTP_ERROR", "UPSTREAM_PROTOCOL_ERROR"],
  ...["UPSTREAM_AUTH_FAILED", "UPSTREAM_SESSION_EXPIRED", "UPSTREAM_RESPONSE_TOO_LARGE", "UPSTREAM_DISABLED"],
  ...["TOOL_NOT_FOUND", "INVALID_PARAMS", "UNAUTHENTICATED", "FORBIDDEN", "SESSION_NOT_FOUND"],
];

/** Words that must never leave the gateway. */
const SECRETS = {
  JWT_SECRET_KEY: "Zq7-planted-signing-key-0f3b9c1d77aa42e8-never-shown",
  AUTH_ENCRYPTION_SECRET: "Xv2-planted-sealing-key-5e1f0a9b33cc48d6-never-shown",
  upstreamToken: "planted-upstream-token-81c2f4",
  urlKey: "planted-url-key-6b90d3",
};

interface Scene {
  readonly sluice: Sluice;
  readonly hostile: HostileUpstream;
  readonly tokens: Readonly<Record<CallerName, string | null>>;
  /** Session ids, by caller and path. */
  readonly sessions: Map<string, string>;
  /** Ids of the gateways, by name. */
  readonly gateways: Map<string, string>;
  /** How often each HTTP status came, and each code of the error table. */
  readonly answers: Map<string, number>;
  slowest: { ms: number; input: Input | null };
}

Deno.test(`Hostile callers, upstreams and faults together: documented answers in time, no secret, and all is served after (HOSTILE_SEED=${SEED}) (timed)`, async () => {
  await using hostile = HostileUpstream.start();
  await using fast = FastUpstream.start();
  await using sluice = await Sluice.start({
    env: {
      JWT_SECRET_KEY: SECRETS.JWT_SECRET_KEY,
      AUTH_ENCRYPTION_SECRET: SECRETS.AUTH_ENCRYPTION_SECRET,
      TOOL_TIMEOUT: String(TOOL_TIMEOUT_MS / 1_000),
      MCP_CLIENT_REQUEST_TIMEOUT: String(TOOL_TIMEOUT_MS / 1_000),
      MAX_UPSTREAM_RESPONSE_BYTES: String(1024 * 1024),
      MCP_SESSION_POOL_CIRCUIT_BREAKER_THRESHOLD: "1000000",
      // So many there are within the warm-up.
      MAX_SESSIONS_PER_CALLER: "50",
      MCP_REVISIONS: "all",
      STREAM_RESUME_WINDOW: "0.5",
      DISABLE_ACCESS_LOG: "false",
      LOG_LEVEL: "DEBUG",
    },
  });
  const scene = await arrange(sluice, hostile, fast);
  const warmUp = Math.ceil(INPUTS * WARM_UP_SHARE / PIECE);
  await send(scene, 0, warmUp);
  const rss = rssBytes(sluice.pid);
  await send(scene, warmUp, Math.ceil(INPUTS / PIECE));

  await assertAllServed(scene);
  const log = sluice.log();
  assertEquals(log.filter(({ level }) => level === "ERROR"), [], "errors in the log");
  await assertWithin(scene.slowest.ms, ANSWER_MS, JSON.stringify(scene.slowest.input));
  const written = [...sluice.stdout.lines, ...sluice.stderr.lines].join("\n");
  assertNoSecret(written, scene, "the log");
  for (const credential of hostile.credentials) {
    assert(
      [null, `Bearer ${SECRETS.upstreamToken}`].includes(credential),
      `an upstream was sent ${credential}`,
    );
  }
  await waitFor(() => rssBytes(sluice.pid) < rss + MAX_RSS_GROWTH_BYTES, {
    what: "the memory to be given back",
    everyMs: 500,
  });
  // A run in which everything is refused at the door tests only the door.
  const count = (answer: string) => scene.answers.get(answer) ?? 0;
  assert(count("200") > INPUTS / 4, show(scene.answers));
  assert(count("401") > INPUTS / 100 && count("403") > INPUTS / 200, show(scene.answers));
  for (const code of MET) assert(count(code) > 0, `${code} did not come: ${show(scene.answers)}`);
});

async function arrange(sluice: Sluice, hostile: HostileUpstream, fast: FastUpstream): Promise<Scene> {
  const user = { admin: false, username: "eve@example.com" };
  const tokens: Record<CallerName, string | null> = {
    "anonymous": null,
    "wrong": await mintToken("another-signing-key-that-the-gateway-has-not"),
    "expired": await sluice.token({ ...user, expiresInSeconds: -60 }),
    "one server": await sluice.token({ ...user, claims: { scopes: { server_id: "all" } } }),
    "one permission": await sluice.token({ ...user, claims: { scopes: { permissions: ["tools.read"] } } }),
    "user": await sluice.token(user),
    "admin": await sluice.token(),
  };
  const scene: Scene = {
    ...{ sluice, hostile, tokens },
    sessions: new Map(),
    gateways: new Map(),
    answers: new Map(),
    slowest: { ms: 0, input: null },
  };
  await registerHostile(scene, "hostile");
  await registerHostile(scene, "other");
  scene.gateways.set("fast", (await sluice.registerUpstream("fast", fast.url)).id);
  const server = { id: "all", name: "All", associated_tools: ["hostile-do", "fast-echo"] };
  assertEquals((await sluice.api("POST", "/servers", { server })).status < 300, true);
  return scene;
}

/** The URL has a secret in its query, and the gateway has one for it. */
async function registerHostile({ sluice, hostile, gateways }: Scene, name: string): Promise<void> {
  const url = `${hostile.url}?name=${name}&key=${SECRETS.urlKey}`;
  const credentials = { auth_type: "bearer", auth_token: SECRETS.upstreamToken };
  gateways.set(name, (await sluice.registerUpstream(name, url, credentials)).id);
}

/** Sends the pieces from `from` to below `to`, and a fault for every INPUTS_PER_FAULT. */
async function send(scene: Scene, from: number, to: number): Promise<void> {
  for (let piece = from; piece < to; piece++) {
    const inputs = fc.sample(INPUT, { seed: SEED + piece, numRuns: PIECE });
    const faults = piece * PIECE % INPUTS_PER_FAULT === 0 ? [cause(scene, piece)] : [];
    let next = 0;
    const clients = Array.from({ length: CLIENTS }, async () => {
      while (next < inputs.length) await sendOne(scene, inputs[next++]!);
    });
    await Promise.all([...clients, ...faults]);
  }
}

/** One fault, the next one each time; what it breaks is whole again when it resolves. */
async function cause({ sluice, hostile, gateways }: Scene, turn: number): Promise<void> {
  const state = (name: string, activate: boolean) =>
    sluice.api("POST", `/gateways/${gateways.get(name)}/state?activate=${activate}`);
  switch (turn % 5) {
    case 0:
      await state("hostile", false);
      await state("hostile", true);
      return;
    case 1:
      return await hostile.restart();
    case 2:
      await sluice.api("DELETE", `/gateways/${gateways.get("other")}`);
      return await registerHostile({ sluice, hostile, gateways } as Scene, "other");
    case 3:
      await sluice.api("PUT", `/gateways/${gateways.get("other")}`, { visibility: "private" });
      await sluice.api("PUT", `/gateways/${gateways.get("other")}`, { visibility: "public" });
      return;
    default:
      // Recycles every worker.
      await Deno.writeTextFile(`${sluice.cwd}/.env`, `GRACEFUL_TIMEOUT=${20 + turn % 2}\n`);
      Deno.kill(sluice.pid, "SIGHUP");
  }
}

async function sendOne(scene: Scene, input: Input): Promise<void> {
  const began = performance.now();
  try {
    if (input.route === "ws") await overWebSocket(scene, input);
    else await overHttp(scene, input);
  } catch (error) {
    throw new Error(`after ${Math.round(performance.now() - began)} ms: ${JSON.stringify(input)}`, {
      cause: error,
    });
  }
  const ms = performance.now() - began;
  if (ms > scene.slowest.ms) scene.slowest = { ms, input };
}

function note({ answers }: Scene, answer: string): void {
  answers.set(answer, (answers.get(answer) ?? 0) + 1);
}

async function overHttp(scene: Scene, input: Input): Promise<void> {
  const { sluice } = scene;
  const { path, init, isStream } = await requestOf(scene, input);
  const cut = new AbortController();
  const timer = input.cutAfterMs === null ? undefined : setTimeout(() => cut.abort(), input.cutAfterMs);
  try {
    const response = await fetch(sluice.url + path, { ...init, signal: cut.signal });
    note(scene, String(response.status));
    if (isStream && response.status === 200) {
      await response.body?.cancel();
      return;
    }
    checkAnswer(scene, response, await response.text());
    if (response.status === 404) scene.sessions.delete(`${input.caller} ${path}`);
  } catch (error) {
    if (!cut.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function requestOf(
  scene: Scene,
  input: Input,
): Promise<{ path: string; init: RequestInit; isStream: boolean }> {
  const token = scene.tokens[input.caller];
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
  };
  const asPost = (path: string, more: Record<string, string> = {}) => ({
    path,
    init: {
      method: "POST",
      headers: { ...headers, ...more, ...input.headers },
      body: JSON.stringify(input.body) ?? "",
    },
    isStream: false,
  });
  switch (input.route) {
    case "rpc":
      return asPost("/rpc");
    case "mcp session":
      return asPost("/mcp", await sessionOf(scene, input.caller, "/mcp"));
    case "mcp sessionless": {
      const { method, params } = input.body as { method: unknown; params: { name?: unknown; uri?: unknown } };
      return asPost("/mcp", {
        "mcp-protocol-version": "2026-07-28",
        ...header("mcp-method", method),
        ...header("mcp-name", params.name ?? params.uri),
      });
    }
    case "server":
      return asPost("/servers/all/mcp", await sessionOf(scene, input.caller, "/servers/all/mcp"));
    case "internal":
      return asPost("/internal/forward", {
        [FORMAT_HEADER]: FORWARD_FORMAT,
        "sluice-time": String(Date.now()),
      });
    case "mcp stream": {
      const session = await sessionOf(scene, input.caller, "/mcp");
      const accept = { accept: "text/event-stream" };
      return { path: "/mcp", init: { headers: { ...headers, ...accept, ...session } }, isStream: true };
    }
    case "sse":
      return { path: "/sse", init: { headers: { ...headers, accept: "text/event-stream" } }, isStream: true };
    default: {
      const hasBody = !["GET", "OPTIONS"].includes(input.method);
      return {
        path: input.path,
        init: {
          method: input.method,
          headers: { ...headers, ...input.headers },
          body: hasBody ? JSON.stringify(input.body) : undefined,
        },
        isStream: false,
      };
    }
  }
}

/** A header that fetch accepts; none for what it would not. */
function header(name: string, value: unknown): Record<string, string> {
  return typeof value === "string" && /^[\x21-\x7e]+$/.test(value) ? { [name]: value } : {};
}

/** The headers of the caller's session, which is opened at the first use, and again when it is gone. A caller may have none. */
async function sessionOf(scene: Scene, caller: CallerName, path: string): Promise<Record<string, string>> {
  const { sessions, tokens, sluice } = scene;
  const key = `${caller} ${path}`;
  const known = sessions.get(key);
  if (known !== undefined) return inSession(known);
  sessions.set(key, "none");
  const { sessionId } = await post(sluice, INITIALIZE, { token: tokens[caller] ?? "", path });
  if (sessionId !== null) sessions.set(key, sessionId);
  return inSession(sessionId ?? "none");
}

async function overWebSocket(scene: Scene, input: Input): Promise<void> {
  const token = scene.tokens[input.caller] ?? undefined;
  using socket = await RawWebSocket.open(scene.sluice.port, { token });
  note(scene, String(socket.status));
  if (socket.status !== 101) return;
  try {
    await socket.say(JSON.stringify(INITIALIZE));
    await socket.say(JSON.stringify(input.body) ?? "");
    // What comes may be anything, or nothing: the answer to this one is certain.
    await socket.say(JSON.stringify({ jsonrpc: "2.0", id: "the end", method: "ping" }));
    for (;;) {
      const message = await socket.nextMessage();
      checkText(scene, JSON.stringify(message), "a frame");
      if (message.id === "the end") return;
    }
  } catch (error) {
    // A worker that is recycled ends its WebSockets.
    if (error instanceof AssertionError) throw error;
    note(scene, `WebSocket: ${(error as Error).message}`);
  }
}

/** Nothing undocumented, and no secret. */
function checkAnswer(scene: Scene, response: Response, text: string): void {
  const [code] = checkText(scene, text, "an answer");
  for (const [name, value] of response.headers) assertNoSecret(value, scene, name);
  if (response.status < 500) return;
  assert(code !== undefined && Object.hasOwn(ERRORS, code), `${response.status}: ${text.slice(0, 500)}`);
  assertEquals(response.status, ERRORS[code as keyof typeof ERRORS].http, text.slice(0, 500));
}

/** @returns the codes of the error table in the text */
function checkText(scene: Scene, text: string, where: string): string[] {
  assertNoSecret(text, scene, where);
  const codes = [...text.matchAll(/"code":"([A-Z_]+)"/g)].map(([, code]) => code!);
  for (const code of codes) note(scene, code);
  assertEquals(codes.includes("INTERNAL"), false, text.slice(0, 500));
  return codes;
}

function assertNoSecret(text: string, { tokens }: Pick<Scene, "tokens">, where: string): void {
  const signatures = CALLERS.map((caller) => tokens[caller]?.split(".")[2]).filter((part) =>
    part !== undefined
  );
  for (const secret of [...Object.values(SECRETS), ...signatures]) {
    const at = text.indexOf(secret);
    assert(at < 0, `${where} has a secret: ${text.slice(Math.max(0, at - 200), at + 100)}`);
  }
}

/** Every endpoint, and the upstreams with their sessions and lists. */
async function assertAllServed({ sluice }: Scene): Promise<void> {
  // What was recycled, restarted or registered last is there in a moment.
  await waitFor(async () => {
    const { body } = await sluice.rpc("tools/list");
    return ["hostile-do", "other-do", "fast-echo"].every((name) =>
      body.result.tools.some((tool: { name: string }) => tool.name === name)
    );
  }, { what: "all tools" });
  for (const name of ["hostile-do", "other-do"]) {
    const { body } = await sluice.rpc("tools/call", { name, arguments: { as: "json" } });
    assertEquals(body.result?.content[0].text, "done", JSON.stringify(body));
  }
  const { status, sessionId } = await post(sluice, INITIALIZE);
  assertEquals(status, 200);
  const called = await post(sluice, toolCall("fast-echo", { message: "alive" }), {
    headers: inSession(sessionId!),
  });
  assertEquals(called.body.result.content[0].text, "alive");
  using socket = await RawWebSocket.open(sluice.port, { token: await sluice.token() });
  assertEquals(socket.status, 101);
  for (const path of ["/health", "/ready", "/gateways", "/servers"]) {
    assertEquals((await sluice.api("GET", path)).status, 200, path);
  }
  const token = await sluice.token();
  await waitFor(async () => {
    const metrics = await fetch(`${sluice.url}/metrics/prometheus`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return (await metrics.text()).includes("\nsluice_workers_ready 2\n");
  }, { what: "two workers, and none that is recycled" });
}

function show(answers: ReadonlyMap<string, number>): string {
  return [...answers].sort(([a], [b]) => a.localeCompare(b)).map(([answer, count]) => `${answer}: ${count}`)
    .join(", ");
}
