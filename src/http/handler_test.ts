import { assertEquals } from "@std/assert";
import { limiterOf, MemorySink, principal, SERVED, settle } from "../../tests/support/fakes.ts";
import { ANONYMOUS } from "../auth/authenticate.ts";
import { type ErrorParams, SluiceError } from "../base/errors.ts";
import { ClientMemory } from "../base/sharing/client_memory.ts";
import { createLog } from "../telemetry/log.ts";
import { errorHeaders, ErrorReporter } from "./error_response.ts";
import { AccessLog } from "./access_log.ts";
import { Admission } from "./limits/admission.ts";
import { Cors } from "./cors.ts";
import { createHandler, type Endpoint, type Exchange, type HandlerDeps } from "./handler.ts";
import { Callers } from "../auth/callers.ts";
import { MCP_SCOPES } from "../auth/oauth/scopes.ts";
import { OriginGuard } from "./origin_guard.ts";
import { ProtectedResources } from "./protected_resources.ts";
import { SessionRefusals } from "./refusal.ts";
import type { RateLimiter } from "./limits/rate_limit.ts";

interface Given {
  readonly endpoint?: Partial<Endpoint>;
  readonly authenticate?: () => ReturnType<typeof principal>;
  readonly admission?: Admission;
  readonly callers?: Callers;
  readonly rateLimiter?: RateLimiter | null;
  readonly quotas?: HandlerDeps["quotas"];
  readonly admit?: () => void;
  readonly accessLog?: AccessLog;
  readonly identifiesAll?: boolean;
  readonly authorizationServers?: readonly string[];
  readonly scopes?: readonly string[];
}

const NO_QUOTAS: HandlerDeps["quotas"] = { isActive: false, stateOf: () => null };

const ROOMY = { requests: 512, streams: 512 };

function setUp(
  {
    endpoint = {},
    authenticate = () => principal(),
    admission = new Admission(ROOMY),
    callers = new Callers({ calls: 512, streams: 512 }, new ClientMemory(Infinity)),
    rateLimiter = null,
    quotas = NO_QUOTAS,
    admit = () => {},
    accessLog = new AccessLog({ worker: 0, format: "json", sink: new MemorySink(), writes: false }),
    identifiesAll = false,
    authorizationServers = [],
    scopes = MCP_SCOPES,
  }: Given = {},
) {
  const served: Exchange[] = [];
  const counted: string[][] = [];
  const failures: string[][] = [];
  const sink = new MemorySink();
  const target: Endpoint = {
    name: "rpc",
    speaks: "json-rpc",
    serve: (exchange) => (served.push(exchange), Promise.resolve(new Response("served"))),
    ...endpoint,
  };
  const refused: string[] = [];
  const originGuard = new OriginGuard({
    allowedOrigins: ["https://ui.example"],
    allowedHosts: [],
    listensOn: "0.0.0.0",
  });
  const serveRequest = createHandler({
    tracer: null,
    originGuard,
    cors: new Cors({ allows: (origin) => originGuard.allows(origin), passes: () => false }),
    rootPath: "/root",
    admission,
    callers,
    accessLog,
    identifiesAll,
    rateLimiter,
    quotas,
    tokenGate: { admit, answered: () => {} },
    resources: new ProtectedResources({
      baseOf: () => "https://gw.example",
      authorizationServers: () => authorizationServers,
      scopes: () => scopes,
    }),
    clientAddress: () => "192.0.2.1",
    countRefused: (code) => refused.push(code),
    sessionRefusals: new SessionRefusals((request) => request.text(), (id) => id === "" ? null : id),
    route: (path) => path === "/rpc" ? target : null,
    authenticate,
    anonymous: ANONYMOUS,
    errors: new ErrorReporter(
      createLog({ level: "DEBUG", format: "json", sink }),
      (...labels) => failures.push(labels),
    ),
    auditFailure: null,
    answers: { answered: (endpoint, status) => counted.push([endpoint, String(status)]) },
  });
  const handle = (request: Request, completed: Promise<void> = Promise.resolve()) =>
    serveRequest(request, { ...SERVED, completed });
  return { handle, serveRequest, served, counted, failures, refused, sink };
}

const denied = () => {
  throw new SluiceError("UNAUTHENTICATED", { reason: "no token" });
};

Deno.test("createHandler() serves with the principal and the path without query and slash", async () => {
  const { handle, served, counted } = setUp();
  const response = await handle(new Request("http://gateway/rpc/?x=/y"));
  assertEquals([response.status, await response.text()], [200, "served"]);
  assertEquals([served[0]!.path, served[0]!.principal.subject], ["/rpc", "ann@example.com"]);
  assertEquals(counted, [["rpc", "200"]]);
});

Deno.test("createHandler() serves below its root path too, whether a proxy strips it or not", async () => {
  const { handle, served } = setUp();
  for (const path of ["/root/rpc", "/root/rpc/", "/rpc"]) await handle(new Request(`http://gateway${path}`));
  assertEquals(served.map(({ path }) => path), ["/rpc", "/rpc", "/rpc"]);
  for (const path of ["/root", "/rootrpc", "/root/root/rpc"]) {
    assertEquals((await handle(new Request(`http://gateway${path}`))).status, 404, path);
  }
});

Deno.test("createHandler() answers a failure as its endpoint speaks", async () => {
  const rpc = await setUp({ authenticate: denied }).handle(new Request("http://gateway/rpc"));
  assertEquals([rpc.status, rpc.headers.get("www-authenticate")], [401, 'Bearer realm="sluice"']);
  const { jsonrpc, id, error } = await rpc.json();
  assertEquals([jsonrpc, id, error.code, error.data.code], ["2.0", null, -31401, "UNAUTHENTICATED"]);

  const rest = await setUp({ authenticate: denied, endpoint: { speaks: "rest" } })
    .handle(new Request("http://gateway/rpc"));
  assertEquals([rest.status, (await rest.json()).detail], [401, "Authentication required: no token"]);
});

Deno.test("createHandler() tells why a token is refused, and a request without one nothing but the realm", async () => {
  const challenge = async (params: ErrorParams) => {
    const authenticate = () => {
      throw new SluiceError("UNAUTHENTICATED", params);
    };
    const { headers } = await setUp({ authenticate }).handle(new Request("http://gateway/rpc"));
    return headers.get("www-authenticate");
  };
  assertEquals(await challenge({ reason: "no token" }), 'Bearer realm="sluice"');
  assertEquals(
    await challenge({ reason: 'the token\'s "jti" claim is \\ wrong', token: "invalid" }),
    'Bearer realm="sluice", error="invalid_token", error_description="the token\'s \'jti\' claim is  wrong"',
  );
});

Deno.test("createHandler() tells clients that can log in where, and what they lack", async () => {
  const authorizationServers = ["https://login.example"];
  const challenge = async (thrown: SluiceError, scopes?: readonly string[]) => {
    const authenticate = () => {
      throw thrown;
    };
    const { status, headers } = await setUp({ authenticate, authorizationServers, scopes })
      .handle(new Request("http://gateway/rpc"));
    return [status, headers.get("www-authenticate")];
  };
  const metadata = 'resource_metadata="https://gw.example/.well-known/oauth-protected-resource/rpc"';
  assertEquals(await challenge(new SluiceError("UNAUTHENTICATED", { reason: "no token" })), [
    401,
    `Bearer realm="sluice", scope="tools.read tools.execute resources.read prompts.read", ${metadata}`,
  ]);
  // Servers that have no scopes for the gateway.
  assertEquals(await challenge(new SluiceError("UNAUTHENTICATED", { reason: "no token" }), []), [
    401,
    `Bearer realm="sluice", ${metadata}`,
  ]);
  const lacking = { permission: "tools.execute", scope: "tools.read tools.execute" };
  assertEquals(await challenge(new SluiceError("INSUFFICIENT_SCOPE", lacking)), [
    403,
    'Bearer realm="sluice", error="insufficient_scope", error_description="The access token does not include tools.execute; ' +
    `log in again with the scopes: tools.read tools.execute", scope="tools.read tools.execute", ${metadata}`,
  ]);
});

Deno.test("createHandler() takes an access token at its own resource alone", async () => {
  const at = async (resource: string) => {
    const { handle } = setUp({ authenticate: () => principal({ resource }) });
    const response = await handle(new Request("http://gateway/rpc"));
    return [response.status, response.headers.get("www-authenticate")?.includes('error="invalid_token"')];
  };
  assertEquals(await at("https://gw.example/rpc"), [200, undefined]);
  assertEquals(await at("https://gw.example"), [200, undefined]);
  for (
    const other of ["https://gw.example/mcp", "https://gw.example/servers/a/mcp", "https://other.example"]
  ) {
    assertEquals(await at(other), [401, true], other);
  }
});

Deno.test("createHandler() answers a preflight before admission and token, and lets the page read every response", async () => {
  const origin = "https://ui.example";
  const full = new Admission({ requests: 0, streams: 0 });
  const { handle, counted } = setUp({ authenticate: denied, admission: full });
  const asks = { origin, "access-control-request-method": "POST" };
  const preflight = await handle(new Request("http://gateway/rpc", { method: "OPTIONS", headers: asks }));
  assertEquals([preflight.status, counted], [204, [["rpc", "204"]]]);
  const readable = async (handle: (request: Request) => Promise<Response>, path = "/rpc") => {
    const response = await handle(new Request(`http://gateway${path}`, { headers: { origin } }));
    const { headers } = response;
    return [response.status, headers.get("access-control-allow-origin"), headers.get("vary")];
  };
  assertEquals(await readable(handle), [503, origin, "Origin"]);
  assertEquals(await readable(setUp({ authenticate: denied }).handle), [401, origin, "Origin"]);
  assertEquals(await readable(setUp().handle, "/nothing"), [404, origin, "Origin"]);
  assertEquals(await readable(setUp().handle), [200, origin, "Origin"]);

  const none = await setUp().handle(new Request("http://gateway/rpc"));
  assertEquals([none.headers.has("access-control-allow-origin"), none.headers.has("vary")], [false, false]);
  const stranger = new Request("http://gateway/rpc", {
    headers: { ...asks, origin: "https://evil.example" },
  });
  for (const method of ["OPTIONS", "POST"]) {
    const { status, headers } = await setUp().handle(new Request(stranger, { method }));
    assertEquals([status, headers.has("access-control-allow-origin")], [403, false], method);
  }
});

Deno.test("createHandler() logs the client's address, the caller that its token proves, and why it failed", async () => {
  const logged = async (given: Given) => {
    const sink = new MemorySink();
    const accessLog = new AccessLog({ worker: 0, format: "json", sink });
    await setUp({ ...given, accessLog }).handle(new Request("http://gateway/rpc"));
    accessLog.close();
    const { client, caller, jti, code } = JSON.parse(sink.lines.join(""));
    return [client, caller, jti, code];
  };
  const serve = () => Promise.reject(new SluiceError("NOT_FOUND", { what: "Tool" }));
  const ann = () => principal({ jti: "j-1" });
  assertEquals(await logged({ authenticate: ann }), ["127.0.0.1", "ann@example.com", "j-1", undefined]);
  assertEquals(await logged({ endpoint: { open: true } }), ["127.0.0.1", "anonymous", undefined, undefined]);
  assertEquals(await logged({ authenticate: denied }), [
    "127.0.0.1",
    undefined,
    undefined,
    "UNAUTHENTICATED",
  ]);
  assertEquals(await logged({ endpoint: { serve } }), [
    "127.0.0.1",
    "ann@example.com",
    undefined,
    "NOT_FOUND",
  ]);
});

Deno.test("createHandler() serves an open endpoint as nobody, without looking at tokens", async () => {
  const { handle, served } = setUp({ authenticate: denied, endpoint: { open: true } });
  assertEquals((await handle(new Request("http://gateway/rpc"))).status, 200);
  assertEquals(served[0]!.principal, ANONYMOUS);
});

Deno.test("createHandler() answers 404 where there is nothing", async () => {
  const { handle, counted } = setUp();
  assertEquals((await handle(new Request("http://gateway/nothing"))).status, 404);
  assertEquals(counted, [["none", "404"]]);
});

Deno.test("createHandler() refuses a stranger's page before it looks at the token", async () => {
  const { handle, served, failures } = setUp({ authenticate: denied });
  const response = await handle(
    new Request("http://gateway/rpc", { headers: { origin: "http://evil.example" } }),
  );
  assertEquals([response.status, served.length, failures], [403, 0, [["ORIGIN_DENIED", "downstream"]]]);
});

Deno.test("createHandler() tells nothing of an unknown failure but a correlation id that the log has, too", async () => {
  const serve = () => Promise.reject(new Error("table users: password=hunter2"));
  const { handle, sink, failures } = setUp({ endpoint: { serve } });
  const response = await handle(new Request("http://gateway/rpc"));
  const { error } = await response.json();
  assertEquals([response.status, error.message], [500, "Internal error"]);
  assertEquals(JSON.stringify(error).includes("hunter2"), false);
  const line = JSON.parse(sink.lines[0]!);
  assertEquals([line.level, line.correlationId], ["ERROR", error.data.correlationId]);
  assertEquals(failures, [["INTERNAL", "internal"]]);
});

Deno.test("createHandler() gives a 422 with every fault", async () => {
  const data = [{ loc: ["body", "name"] }, { loc: ["body", "url"] }];
  const serve = () => Promise.reject(new SluiceError("VALIDATION_FAILED", { reason: "2 faults" }, { data }));
  const response = await setUp({ endpoint: { speaks: "rest", serve } }).handle(
    new Request("http://gateway/rpc"),
  );
  assertEquals([response.status, (await response.json()).detail], [422, data]);
});

Deno.test("errorHeaders() says what a status asks for", () => {
  const cases: [SluiceError, Record<string, string>][] = [
    [new SluiceError("METHOD_NOT_ALLOWED", { method: "PUT", allowed: "GET, POST" }), { allow: "GET, POST" }],
    [new SluiceError("OVERLOADED"), { "retry-after": "1" }],
    [new SluiceError("NOT_FOUND", { what: "x" }), {}],
    ...(["RATE_LIMITED", "OAUTH_LIMITED", "QUOTA_EXCEEDED", "TOKEN_LIMIT_REACHED"] as const).map((
      code,
    ): [SluiceError, Record<string, string>] => [new SluiceError(code, { waitS: 35 }), {
      "retry-after": "35",
    }]),
  ];
  for (const [error, headers] of cases) assertEquals(errorHeaders(error), headers);
});

const post = (headers: Record<string, string> = {}) =>
  new Request("http://gateway/rpc", { method: "POST", body: "{}", headers });

Deno.test("createHandler() refuses what is above the limit unread, unauthenticated, unlogged and at once, and counts it", async () => {
  const admission = new Admission({ requests: 1, streams: 1 });
  const answer = Promise.withResolvers<Response>();
  let authenticated = 0;
  const { handle, counted, refused, failures, sink } = setUp({
    admission,
    authenticate: () => (authenticated++, principal()),
    endpoint: { serve: () => answer.promise },
  });
  const first = handle(post());
  const second = post({ "content-length": "2" });
  const response = await handle(second);
  assertEquals([response.status, response.headers.get("retry-after")], [503, "1"]);
  assertEquals(await response.json(), {
    jsonrpc: "2.0",
    id: null,
    error: {
      code: -31530,
      message: "The gateway is at capacity; retry later",
      data: { source: "internal", code: "OVERLOADED" },
    },
  });
  assertEquals([authenticated, refused, failures, sink.lines], [1, ["OVERLOADED"], [], []]);
  assertEquals(counted, [["rpc", "503"]]);
  // Thrown away, so that the connection can be kept.
  assertEquals(await second.body!.getReader().read(), { done: true, value: undefined });

  answer.resolve(new Response("served"));
  assertEquals((await first).status, 200);
  assertEquals((await handle(post())).status, 200);
});

Deno.test("createHandler() refuses a request of a session with its id and HTTP 200, and every other at the limit with 503", async () => {
  const admission = new Admission({ requests: 0, streams: 1 });
  const { handle, counted, refused } = setUp({ admission, endpoint: { answersOverLimit: true } });
  const ask = async (body: string, headers: Record<string, string> = { "mcp-session-id": "s" }) => {
    const length = { "content-length": String(body.length) };
    const response = await handle(
      new Request("http://gateway/rpc", { method: "POST", headers: { ...length, ...headers }, body }),
    );
    return [response.status, response.headers.get("retry-after"), (await response.json()).id];
  };
  const call = '{"jsonrpc":"2.0","id":123456789012345678901,"method":"tools/call"}';
  assertEquals(await ask(call), [200, "1", Number("123456789012345678901")]);
  const others: [body: string, headers?: Record<string, string>][] = [
    ['{"jsonrpc":"2.0","method":"notifications/initialized"}'],
    ["no JSON"],
    [call, {}],
    [call, { "mcp-session-id": "s", "content-length": "65537" }],
    [call, { "mcp-session-id": "s", accept: "text/event-stream" }],
  ];
  for (const [body, headers] of others) {
    assertEquals(await ask(body, headers), [503, "1", null], JSON.stringify([body, headers]));
  }
  assertEquals([refused.length, counted.map(([, status]) => status).join()], [6, "200,503,503,503,503,503"]);
});

Deno.test("createHandler() refuses as REST where the endpoint speaks that, or where there is none", async () => {
  const admission = new Admission({ requests: 1, streams: 1 });
  admission.enter();
  const { handle } = setUp({ admission, endpoint: { speaks: "rest" } });
  for (const path of ["/rpc", "/nothing"]) {
    const response = await handle(new Request(`http://gateway${path}`));
    assertEquals([response.status, await response.json()], [503, {
      detail: "The gateway is at capacity; retry later",
      code: "OVERLOADED",
    }]);
  }
});

Deno.test("createHandler() always answers where the endpoint says so, and leaves admission to internal endpoints", async () => {
  const admission = new Admission({ requests: 1, streams: 1 });
  admission.enter();
  for (const endpoint of [{ alwaysAnswered: true }, { isInternal: true }]) {
    const { handle } = setUp({ admission, endpoint });
    assertEquals((await handle(post())).status, 200);
    assertEquals(admission.requestsInFlight, 1);
  }
});

Deno.test("createHandler() gives a place back, whatever the request ends with", async () => {
  const admission = new Admission({ requests: 1, streams: 1 });
  const serve = () => Promise.reject(new Error("broken"));
  const cases = [
    setUp({ admission, authenticate: denied }),
    setUp({ admission, endpoint: { serve } }),
    setUp({
      admission,
      endpoint: {
        serve: () => {
          throw new Error("at once");
        },
      },
    }),
    setUp({ admission }),
  ];
  for (const { handle } of cases) {
    await handle(post({ origin: "http://evil.example" }));
    await handle(post());
    await handle(new Request("http://gateway/nothing"));
    assertEquals([admission.requestsInFlight, admission.streamCount], [0, 0]);
  }
});

Deno.test("createHandler() counts an answer that stays open among the streams, until it is out or its client is gone", async () => {
  const admission = new Admission({ requests: 1, streams: 1 });
  const serve = (exchange: Exchange) => {
    exchange.isStream = true;
    return Promise.resolve(new Response("an event"));
  };
  const { handle, refused } = setUp({ admission, endpoint: { serve, streamsOnGet: true } });
  const get = () => new Request("http://gateway/rpc");
  const completed = Promise.withResolvers<void>();
  assertEquals((await handle(get(), completed.promise)).status, 200);
  assertEquals([admission.requestsInFlight, admission.streamCount], [0, 1]);

  const response = await handle(get());
  assertEquals([response.status, (await response.json()).error.data.code], [503, "TOO_MANY_STREAMS"]);
  assertEquals(refused, ["TOO_MANY_STREAMS"]);
  // A POST is no less welcome; that its answer is a stream shows only later.
  const posted = Promise.withResolvers<void>();
  assertEquals((await handle(post(), posted.promise)).status, 200);
  assertEquals([admission.requestsInFlight, admission.streamCount], [1, 1]);

  completed.reject(new Error("the client is gone"));
  posted.resolve();
  await settle();
  assertEquals([admission.requestsInFlight, admission.streamCount], [0, 0]);
  assertEquals((await handle(get(), completed.promise.catch(() => {}))).status, 200);
});

Deno.test("createHandler() takes the client's correlation id into a failure and its log line", async () => {
  const serve = () => Promise.reject(new Error("broken"));
  const { handle, sink } = setUp({ endpoint: { serve } });
  const response = await handle(post({ "x-correlation-id": 'deploy-17"; rm -rf' }));
  const id = "deploy-17rm-rf";
  assertEquals(
    [response.headers.get("x-correlation-id"), (await response.json()).error.data.correlationId],
    [id, id],
  );
  assertEquals(JSON.parse(sink.lines[0]!).correlationId, id);
});

Deno.test("createHandler() refuses what is above the caller's rate, unread, and says for how long", async () => {
  const { handle, served, counted, failures } = setUp({ rateLimiter: limiterOf(2) });
  const post = () =>
    new Request("http://gateway/rpc", { method: "POST", headers: { "content-length": "2" }, body: "{}" });
  for (let i = 0; i < 2; i++) assertEquals((await handle(post())).status, 200);
  assertEquals(served.map(({ caller }) => caller), Array(2).fill("mcpgateway\nann@example.com"));
  const request = post();
  const response = await handle(request);
  assertEquals([response.status, request.bodyUsed, served.length], [429, true, 2]);
  assertEquals(Number(response.headers.get("retry-after")), 40 + 30);
  const { error } = await response.json();
  assertEquals([error.code, error.data.code], [-31430, "RATE_LIMITED"]);
  assertEquals([counted.at(-1), failures], [["rpc", "429"], [["RATE_LIMITED", "downstream"]]]);
});

Deno.test("createHandler() leaves a rate limit to an endpoint that answers it, but never too many calls at once", async () => {
  const callers = new Callers({ calls: 1, streams: 1 }, new ClientMemory(Infinity));
  const rateLimiter = limiterOf(1);
  const { handle, served } = setUp({ endpoint: { answersOverLimit: true }, rateLimiter, callers });
  for (let i = 0; i < 2; i++) assertEquals((await handle(new Request("http://gateway/rpc"))).status, 200);
  assertEquals(served.map(({ overLimit }) => overLimit?.code), [undefined, "RATE_LIMITED"]);
  // The endpoint would read its body without a place among the caller's calls.
  callers.enter(principal());
  const { status } = await handle(new Request("http://gateway/rpc"));
  assertEquals([status, served.length], [429, 2]);
  const body = '{"jsonrpc":"2.0","id":7,"method":"ping"}';
  const headers = { "mcp-session-id": "s", "content-length": String(body.length) };
  const inSession = await handle(new Request("http://gateway/rpc", { method: "POST", headers, body }));
  const { id, error } = await inSession.json();
  assertEquals([inSession.status, id, error.data.code, served.length], [
    200,
    7,
    "TOO_MANY_CALLS_OF_CALLER",
    2,
  ]);
});

Deno.test("createHandler() gives a place back, and answers as REST does, where a rate is exceeded", async () => {
  const admission = new Admission(ROOMY);
  const { handle } = setUp({ rateLimiter: limiterOf(1), admission, endpoint: { speaks: "rest" } });
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push(await handle(new Request("http://gateway/rpc")));
  assertEquals(statuses.map(({ status }) => status), [200, 429, 429]);
  assertEquals((await statuses[2]!.json()).code, "RATE_LIMITED");
  assertEquals(admission.requestsInFlight, 0);
});

Deno.test("createHandler() limits callers without a token by their address, and open endpoints never", async () => {
  const nobody = setUp({ rateLimiter: limiterOf(1), authenticate: () => ANONYMOUS });
  const statuses = [];
  for (const hostname of ["10.0.0.1", "10.0.0.2", "10.0.0.1"]) {
    const remoteAddr = { ...SERVED.remoteAddr, hostname };
    const answer = await nobody.serveRequest(new Request("http://gateway/rpc"), { ...SERVED, remoteAddr });
    statuses.push(answer.status);
  }
  assertEquals(statuses, [200, 200, 429]);
  const open = setUp({ rateLimiter: limiterOf(1), endpoint: { open: true } });
  for (let i = 0; i < 5; i++) {
    assertEquals((await open.handle(new Request("http://gateway/rpc"))).status, 200);
  }
});

Deno.test("createHandler() tells what is left of the limit that is nearest to its end, also when it is used up", async () => {
  const limit = (name: string, response: Response) => response.headers.get(`ratelimit-${name}`);
  const { handle } = setUp({ rateLimiter: limiterOf(2) });
  const told = [];
  for (let i = 0; i < 3; i++) {
    const response = await handle(new Request("http://gateway/rpc"));
    told.push(["limit", "remaining", "reset"].map((name) => limit(name, response)));
    if (i === 2) {
      assertEquals(limit("policy", response), '"medium";q=2;w=60');
      assertEquals(response.headers.get("ratelimit"), '"medium";r=0;t=70');
      assertEquals(response.headers.get("retry-after"), "70");
    }
  }
  // The clock stands at 20 s of its minute.
  assertEquals(told, [["2", "1", "40"], ["2", "0", "70"], ["2", "0", "70"]]);

  const state = { policy: "user", limit: 5, remaining: 1, resetS: 9, windowS: 30 };
  const both = setUp({ rateLimiter: limiterOf(3), quotas: { isActive: true, stateOf: () => state } });
  const first = await both.handle(new Request("http://gateway/rpc"));
  assertEquals(first.headers.get("ratelimit-policy"), '"user";q=5;w=30');
  await both.handle(new Request("http://gateway/rpc"));
  const last = await both.handle(new Request("http://gateway/rpc"));
  assertEquals(limit("remaining", last), "0");
  const none = await setUp().handle(new Request("http://gateway/rpc"));
  assertEquals([limit("limit", none), none.headers.get("ratelimit")], [null, null]);
});

Deno.test("createHandler() counts nothing of what has no valid token", async () => {
  const rateLimiter = limiterOf(1);
  const { handle } = setUp({ rateLimiter, authenticate: denied });
  for (let i = 0; i < 3; i++) assertEquals((await handle(new Request("http://gateway/rpc"))).status, 401);
  assertEquals(rateLimiter.size, 0);
});

Deno.test("createHandler() refuses a caller's further request where so many are under way, and nobody else's", async () => {
  const admission = new Admission(ROOMY);
  const callers = new Callers({ calls: 2, streams: 2 }, new ClientMemory(Infinity));
  let who = "bob";
  const gate = Promise.withResolvers<void>();
  const { handle, served } = setUp({
    admission,
    callers,
    authenticate: () => principal({ subject: who }),
    endpoint: { serve: () => gate.promise.then(() => new Response("served")) },
  });
  const post = () =>
    new Request("http://gateway/rpc", { method: "POST", headers: { "content-length": "2" }, body: "{}" });
  const underWay = [handle(post()), handle(post())];
  const refused = post();
  const answer = await handle(refused);
  assertEquals([answer.status, refused.bodyUsed, served.length], [429, true, 0]);
  assertEquals((await answer.json()).error.data.code, "TOO_MANY_CALLS_OF_CALLER");
  who = "ann";
  underWay.push(handle(post()));
  assertEquals(admission.requestsInFlight, 3);
  gate.resolve();
  assertEquals((await Promise.all(underWay)).map(({ status }) => status), [200, 200, 200]);
  who = "bob";
  assertEquals([(await handle(post())).status, admission.requestsInFlight], [200, 0]);
});

Deno.test("createHandler() refuses a caller's further stream where so many are open", async () => {
  const callers = new Callers({ calls: 5, streams: 1 }, new ClientMemory(Infinity));
  const end = Promise.withResolvers<void>();
  const serve = (exchange: Exchange) => {
    exchange.isStream = true;
    exchange.connectionEnd = end.promise;
    return Promise.resolve(new Response("stream"));
  };
  const { handle } = setUp({ callers, endpoint: { serve, streamsOnGet: true } });
  const get = () => handle(new Request("http://gateway/rpc"));
  assertEquals((await get()).status, 200);
  const answer = await get();
  assertEquals([answer.status, (await answer.json()).error.data.code], [429, "TOO_MANY_STREAMS_OF_CALLER"]);
  end.resolve();
  await end.promise.then(() => {});
  assertEquals((await get()).status, 200);
});
