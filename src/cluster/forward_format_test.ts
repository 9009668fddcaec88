// Pins the shape of what replicas send each other to its format: during an upgrade old and new replicas meet, and may only serve each
// other's requests if both mean the same by them.
import { createHash } from "node:crypto";
import { assertEquals } from "@std/assert";
import type { Principal } from "../auth/principal.ts";
import { SluiceError } from "../base/errors.ts";
import type { McpRequest } from "../downstream/exchange/mcp_exchange.ts";
import type { CallNote } from "../telemetry/call_note.ts";
import { encodeEnd, encodeRequest, serveEncoded } from "./envelope.ts";
import { FORWARD_FORMAT } from "./request_signature.ts";

/** `T` with all its members. A new member fails the type check until the samples here have it. */
type Complete<T> = T extends string | number | boolean ? T
  : T extends readonly (infer Item)[] ? readonly Complete<Item>[]
  : { readonly [Key in keyof T]-?: Complete<NonNullable<T[Key]>> };

const GRANTS = [{ ids: ["t"], permissions: ["tools.read"] }];

const PRINCIPAL: Complete<Principal> = {
  kind: "user",
  subject: "ann",
  issuer: "i",
  email: "ann@x",
  isAdmin: false,
  teams: ["t"],
  serverId: "s",
  permissions: ["tools.read"],
  expiresAt: 1,
  jti: "j",
  issuedAt: 1,
  isLogin: true,
  loggedInAt: 1,
  recordId: "r",
  teamsLimitSight: true,
  resource: "http://x",
  apiToken: {
    id: "j",
    ownerId: "o",
    teamId: "t",
    refusal: "revoked",
    readAt: { catalog: 1, people: 1, tokens: 1, write: "w" },
  },
  unrecorded: { id: "j", readAt: { catalog: 1, people: 1, tokens: 1, write: "w" } },
  limits: {
    networks: ["10.0.0.0/8"],
    times: { timeZone: "UTC", days: [1], windows: [{ start: 1, end: 2 }] },
    usage: { perHour: 1, perDay: 1, inAll: 1 },
  },
  grants: { everywhere: ["a"], inTeams: GRANTS, onServers: GRANTS, endsAt: 1, standing: "s" },
  given: { isAdmin: true, teams: [{ team: "t", role: "owner" }], roles: ["r"] },
};

const NOTE: Complete<CallNote> = {
  correlationId: "c",
  isLogged: true,
  client: "a",
  endpoint: "e",
  origin: "o",
  caller: "ann",
  jti: "j",
  rpcMethod: "m",
  tool: "t",
  upstream: "u",
  session: "s",
  bytes: 1,
  code: "X",
  calls: [],
};

const TRACE = { traceId: "t", spanId: "s", isSampled: true, state: "s" };

const REQUEST: Complete<Omit<McpRequest, "principal" | "headers" | "trace">> = {
  method: "POST",
  caller: "ann",
  isForSse: true,
  isForReleased: true,
  serverId: "s",
  sessionId: "s",
  protocolVersion: "2025-11-25",
  acceptsStream: true,
  acceptsJson: true,
  body: "{}",
  forwardedAs: "n",
  upstreamCall: {
    callId: "c",
    upstreamId: "u",
    tenant: "t",
    capabilities: "{}",
    method: "tools/call",
    revision: "2025-11-25",
    clientCapabilities: "{}",
    isAskable: true,
    timeoutMs: 1,
    timeoutSetting: "TOOL_TIMEOUT",
    startedAt: 1,
    wrapsResults: true,
    token: { issuer: "i", subject: "ann", reach: "r", user: "u" },
    tracedAs: TRACE,
    passed: [["x-a", "b"]],
    paramHeaders: [["x-a", "b"]],
  },
  upstreamAnswer: { callId: "c", question: 1 },
  note: NOTE,
  tracedAs: TRACE,
};

/** The type of each member; of a list, that of its first item. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).sort().map(([name, member]) => [name, shapeOf(member)]));
}

const never = new AbortController().signal;

Deno.test("FORWARD_FORMAT is another one if the shape of requests or replies changes", async () => {
  const request = encodeRequest({
    ...REQUEST as unknown as McpRequest,
    principal: PRINCIPAL as Principal,
    headers: new Headers({ "x-a": "b" }),
  });
  const served = await serveEncoded(
    request,
    () => Promise.resolve({ status: 200, headers: { a: "b" }, body: "" }),
    never,
  );
  const thrown = new SluiceError("UPSTREAM_CLOSED", { upstream: "u", sent: 0 }, { data: 1, cause: "why" });
  const failed = await serveEncoded(request, () => Promise.reject(thrown), never);
  const texts = [...request.split("\n").slice(0, 2), served.head, failed.head, encodeEnd(NOTE as CallNote)];
  const shapes = texts.map((text) => JSON.stringify(shapeOf(JSON.parse(text))));
  assertEquals(
    { format: FORWARD_FORMAT, shapes: createHash("sha256").update(shapes.join("\n")).digest("hex") },
    PINNED,
    `Other replicas read another shape: raise FORWARD_FORMAT, and pin both here.\n${shapes.join("\n")}`,
  );
});

/** A digest of the shapes, by which a change of them is noticed. */
const PINNED = { format: "4", shapes: "bd9d814a11019d4f2b81717f2c44b9af5b28a0ab706599e45b04aa1dbcca6330" };
