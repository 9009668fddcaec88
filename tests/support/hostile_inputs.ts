// What callers of every kind may send to every endpoint, as arbitraries: one input is one request, or one connection of its own.
import fc from "fast-check";
import { claimsOf } from "./sessionless_parts.ts";
import { WAYS } from "./hostile_upstream.ts";

export const CALLERS = [
  "anonymous",
  "wrong",
  "expired",
  "one server",
  "one permission",
  "user",
  "admin",
] as const;
export type CallerName = (typeof CALLERS)[number];

export type Route =
  | "rpc"
  | "mcp session"
  | "mcp sessionless"
  | "mcp stream"
  | "server"
  | "sse"
  | "ws"
  | "rest"
  | "internal";

export interface Input {
  readonly caller: CallerName;
  readonly route: Route;
  /** The JSON of a POST, or of a frame. */
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;
  /** REST: the method and the path. */
  readonly method: string;
  readonly path: string;
  /** The client goes away so many ms after it has sent the request; null: it waits. */
  readonly cutAfterMs: number | null;
}

const odd = fc.oneof(
  fc.constantFrom<unknown>(null, true, -0, 1e308, "", "\u0000", "../../etc/passwd", [], {}, [[]]),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.integer(),
  fc.dictionary(fc.constantFrom("__proto__", "constructor", "name", "uri", "_meta", ""), fc.string(), {
    maxKeys: 3,
  }),
);
const usually = <T>(usual: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: odd });

/** Ways that take as long as the call may take are rare, or nothing else would be tried. */
const SLOW = [
  "hang",
  "hang_in_sse",
  "accepted",
  "sse_without_result",
  "wrong_id_in_sse",
  "endless_sse",
  "large",
];
const way = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(...WAYS.filter((name) => !SLOW.includes(name))) },
  { weight: 1, arbitrary: fc.constantFrom(...SLOW) },
);

const tool = usually(fc.constantFrom("hostile-do", "do", "fast-echo", "other-do", "absent"));
const meta = fc.option(
  fc.record({ progressToken: usually(fc.constantFrom("p", 1)) }, { requiredKeys: [] }),
  { nil: undefined },
);
const params: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  "tools/call": fc.record({
    name: tool,
    arguments: usually(fc.record({ as: way, message: odd })),
    _meta: meta,
  }, { requiredKeys: ["name"] }),
  "tools/list": fc.record({ cursor: odd }, { requiredKeys: [] }),
  "resources/list": fc.constant({}),
  "resources/read": fc.record({ uri: usually(fc.constantFrom("hostile://a", "hostile://b", "file:///x")) }),
  "resources/subscribe": fc.record({ uri: usually(fc.constant("hostile://a")) }),
  "resources/templates/list": fc.constant({}),
  "prompts/list": fc.constant({}),
  "prompts/get": fc.record({ name: usually(fc.constantFrom("hostile-ask", "ask")), arguments: odd }),
  "completion/complete": fc.record({ ref: odd, argument: odd }),
  "logging/setLevel": fc.record({ level: usually(fc.constantFrom("debug", "error")) }),
  "tasks/get": fc.record({ taskId: odd }),
  "tasks/list": fc.constant({}),
  "ping": fc.constant({}),
  "initialize": fc.record({
    protocolVersion: usually(fc.constantFrom("2025-11-25", "2024-11-05", "1999-01-01")),
    capabilities: odd,
    clientInfo: odd,
  }),
  "server/discover": fc.constant({}),
  "notifications/cancelled": fc.record({ requestId: fc.oneof(fc.nat(9), odd) }),
  "notifications/initialized": fc.constant({}),
  "notifications/roots/list_changed": fc.constant({}),
};
const id = fc.oneof({ weight: 8, arbitrary: fc.nat(9) }, {
  weight: 1,
  arbitrary: fc.constantFrom<unknown>(null, 1.5, "", "x", {}, -1, "x".repeat(3_000)),
});
/** What a client sends that knows its protocol, to an upstream that does not. */
const call: fc.Arbitrary<Record<string, unknown>> = fc.record({
  jsonrpc: fc.constant("2.0"),
  id: fc.nat(9),
  method: fc.constant("tools/call"),
  params: fc.record({
    name: fc.constantFrom("hostile-do", "other-do"),
    arguments: fc.record({ as: way }),
    _meta: meta,
  }, { requiredKeys: ["name", "arguments"] }),
});
const anyMessage: fc.Arbitrary<Record<string, unknown>> = fc.constantFrom(...Object.keys(params)).chain((
  method,
) =>
  fc.record({
    jsonrpc: usually(fc.constant("2.0")),
    id: method.startsWith("notifications/") ? fc.constant(undefined) : id,
    method: usually(fc.constant(method)),
    params: usually(params[method]!),
  })
);
const message = fc.oneof(call, anyMessage);
const answer = fc.record({ jsonrpc: fc.constant("2.0"), id, result: odd });

/** A message of the stateless revision. */
const sessionless = message.map((made) => ({
  ...made,
  params: typeof made.params === "object" && made.params !== null && !Array.isArray(made.params)
    ? { ...made.params, _meta: claimsOf({}) }
    : { _meta: claimsOf({}) },
}));
const batch = fc.array(fc.oneof(message, message, answer, odd), { minLength: 1, maxLength: 6 });
const anyBody: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 12, arbitrary: message },
  { weight: 2, arbitrary: sessionless },
  { weight: 2, arbitrary: batch },
  { weight: 1, arbitrary: answer },
  { weight: 1, arbitrary: odd },
);

const headers = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Record<string, string>>({}) },
  {
    weight: 1,
    arbitrary: fc.dictionary(
      fc.constantFrom(
        "accept",
        "content-type",
        "mcp-protocol-version",
        "last-event-id",
        "origin",
        "x-tenant-id",
      ),
      fc.constantFrom(
        "",
        "*/*",
        "text/event-stream",
        "application/json",
        "2026-07-28",
        "2025-11-25",
        "x; y=z",
      ),
      { maxKeys: 3 },
    ),
  },
);

const COLLECTIONS = ["gateways", "tools", "resources", "prompts", "servers", "tokens"];
const restBody = fc.oneof(
  fc.record({ name: odd, url: odd, transport: odd, visibility: odd, enabled: odd, tool_overrides: odd }, {
    requiredKeys: [],
  }),
  odd,
);
/** Nothing that would end the other inputs: what is there is changed and deleted by faults of the test's own. */
const restPath = fc.record({
  method: fc.constantFrom("GET", "GET", "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"),
  path: fc.tuple(
    fc.constantFrom(
      ...COLLECTIONS,
      "v1/tools",
      "metrics",
      "version",
      "ready",
      "health",
      "admin/mcp-pool/metrics",
    ),
    fc.oneof(
      fc.constant(""),
      fc.constantFrom("/x", "/x/state?activate=true", "/%00", "?limit=-1", "?cursor=x", "/revoked"),
    ),
  ).map(([collection, rest]) => `/${collection}${rest}`),
});

const routes: fc.Arbitrary<Route> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Route>("rpc") },
  { weight: 5, arbitrary: fc.constant<Route>("mcp session") },
  { weight: 4, arbitrary: fc.constant<Route>("mcp sessionless") },
  { weight: 2, arbitrary: fc.constant<Route>("server") },
  { weight: 4, arbitrary: fc.constant<Route>("rest") },
  { weight: 1, arbitrary: fc.constantFrom<Route>("mcp stream", "sse", "ws", "internal") },
);

/** One input. */
export const INPUT: fc.Arbitrary<Input> = routes.chain((route) =>
  fc.record({
    caller: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom<CallerName>("user", "admin") },
      { weight: 1, arbitrary: fc.constantFrom<CallerName>(...CALLERS) },
    ),
    route: fc.constant(route),
    body: route === "mcp sessionless" ? sessionless : route === "rest" ? restBody : anyBody,
    headers,
    rest: restPath,
    cutAfterMs: fc.oneof({ weight: 30, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(50) }),
  }).map(({ rest, ...input }) => ({ ...input, ...rest }))
);
