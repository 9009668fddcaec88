// Settings of client sessions, and of the pool of upstream sessions.

import { bool, headerName, int, type Kind, kind, list, oneOf, seconds, setting } from "./setting.ts";

const HEALTH_METHODS = ["ping", "list_tools", "list_prompts", "list_resources", "skip"] as const;

/** The revisions of mcp/revisions.ts, which ranks beside this folder. */
const REVISIONS = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/** "auto", "all", or a list of revisions. */
function revisions(): Kind<"auto" | "all" | readonly string[], null> {
  const one = list("revisions", (item) => REVISIONS.find((revision) => revision === item));
  return kind(null, `auto, all, or a list of revisions (${REVISIONS.join(", ")})`, (given) => {
    const word = given.toLowerCase();
    if (word === "auto" || word === "all") return word;
    const { data = [] } = one.schema.safeParse(given);
    return data.length > 0 ? data : undefined;
  });
}

export const SESSION_SETTINGS = [
  setting({
    name: "MCP_REVISIONS",
    kind: revisions(),
    default: "auto",
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "Revisions that /mcp, /sse and /ws offer; a virtual server has its own field `revisions`. auto: all with sessions, " +
      "and 2026-07-28 where every upstream speaks it, keeps no state, or has isolation shared. Other clients that prefer " +
      "2026-07-28 fall back to a session, and keep their state. all: all, everywhere.",
  }),
  setting({
    name: "SESSION_TTL",
    kind: seconds({ min: 1 }),
    default: "3600",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Time without a request after which a client session ends.",
  }),
  setting({
    name: "MAX_SESSIONS_PER_CALLER",
    kind: int({ min: 1, max: 1_000_000 }),
    default: "1000",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc:
      "Client sessions that one caller (issuer and subject of the token) may have in a worker. A further " +
      "session ends the caller's least recently used session without a call or stream; if there is none, " +
      "`initialize` gets 429. Callers without a token count as one.",
  }),
  setting({
    name: "MAX_SESSIONS",
    kind: int({ min: 1, max: 1_000_000 }),
    default: "20000",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc:
      "Client sessions of a worker. A further session ends one of the caller with the most sessions: the " +
      "least recently used one without a call or stream.",
  }),
  setting({
    name: "SSE_KEEPALIVE_INTERVAL",
    kind: seconds({ min: 1, max: 3600 }),
    default: "30",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Time after which a silent event stream gets a comment, and a silent WebSocket a ping, so that no " +
      "proxy closes them. A WebSocket that does not answer a ping within the same time is closed.",
  }),
  setting({
    name: "JSON_RESPONSE_ENABLED",
    kind: bool(),
    default: "true",
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "Answer requests over streamable HTTP with JSON where no message comes before the result. false: with an event " +
      "stream, if the client accepts one. A client of 2025-11-25 can resume it from the start of its call. Each stream counts " +
      "towards MAX_STREAMS until its answer is sent.",
  }),
  setting({
    name: "STREAM_RESUME_WINDOW",
    kind: seconds({ min: 0, max: 3600 }),
    default: "30",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Time that a call continues after its client lost the event stream, and that the end of a stream " +
      "is kept. The client can resume the stream within this time.",
  }),
  setting({
    name: "MCP_CLIENT_REQUEST_TIMEOUT",
    kind: seconds({ max: 86_400 }),
    default: "300",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Time that a client has to answer an upstream's request (sampling, elicitation, roots). The time " +
      "does not count towards the call's own limit.",
  }),
  setting({
    name: "TOOL_TIMEOUT",
    kind: seconds(),
    default: "60",
    follows: "MCP_SESSION_POOL_TRANSPORT_TIMEOUT",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Time that a tool call may take, including the wait for a session and a connection. A tool's own " +
      "`timeout_ms` wins. If only MCP_SESSION_POOL_TRANSPORT_TIMEOUT is set, that is the time of tool calls too.",
  }),
  setting({
    name: "GATEWAY_TOOL_NAME_SEPARATOR",
    kind: oneOf(["-", "--", "_", "."]),
    default: "-",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc: "Separator between the upstream's name and the tool's name: one of - -- _ and the dot.",
  }),
  setting({
    name: "GATEWAY_TOOL_NAME_MAX_LENGTH",
    kind: int({ min: 32, max: 128 }),
    default: "64",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc: "Longest name of a tool or prompt. Some clients accept 60 or 64 characters only; a longer name is " +
      "cut and gets a hash at its end.",
  }),
  setting({
    name: "MCP_NAMING",
    kind: oneOf(["prefixed", "original"]),
    default: "prefixed",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "Names of tools and prompts at the endpoints that show everything (/mcp, /rpc, /sse, /ws): the registry's, which begin " +
      "with the gateway's name, or the upstreams' own. If two upstreams have one name, the one that was registered first " +
      "keeps it; the other keeps its prefixed name, which is logged. A virtual server has a field `naming` instead.",
  }),
  setting({
    name: "MCP_LIST_PAGE_SIZE",
    kind: int({ min: 0, max: 1_000_000, hint: "0: everything in one page" }),
    default: "1000",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Entries on a page of tools/list, prompts/list, resources/list and resources/templates/list.",
  }),
] as const;

export const POOL_SETTINGS = [
  setting({
    name: "MCP_SESSION_POOL_ENABLED",
    kind: bool(),
    default: "false",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Reuse upstream sessions between calls of the same identity.",
  }),
  setting({
    name: "MCP_SESSION_POOL_MAX_PER_KEY",
    kind: int({ min: 1, max: 10_000 }),
    default: "10",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Sessions for each combination of URL, identity, transport and upstream.",
  }),
  setting({
    name: "MCP_SESSION_POOL_TTL",
    kind: seconds(),
    default: "300.0",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Age at which a pooled session is closed.",
  }),
  setting({
    name: "MCP_SESSION_POOL_TRANSPORT_TIMEOUT",
    kind: seconds(),
    default: "30.0",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc:
      "Time that an exchange with an upstream may take: a list, a read, a prompt, and, if TOOL_TIMEOUT is not " +
      "set, a tool call.",
  }),
  setting({
    name: "MCP_SESSION_POOL_HEALTH_CHECK_INTERVAL",
    kind: seconds({ min: 0, hint: "0: before every reuse" }),
    default: "60.0",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Idle time after which a session is checked before reuse.",
  }),
  setting({
    name: "MCP_SESSION_POOL_HEALTH_CHECK_METHODS",
    kind: list(
      HEALTH_METHODS.join(", "),
      (item) => HEALTH_METHODS.find((method) => method === item.toLowerCase()),
    ),
    default: "ping,skip",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Health checks to try in this order. The next one is tried if the upstream lacks the method; " +
      "`skip` counts as healthy.",
  }),
  setting({
    name: "MCP_SESSION_POOL_HEALTH_CHECK_TIMEOUT",
    kind: seconds(),
    default: "5.0",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Time that each check may take.",
  }),
  setting({
    name: "MCP_SESSION_POOL_ACQUIRE_TIMEOUT",
    kind: seconds(),
    default: "30.0",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Time that a call waits for a free session.",
  }),
  setting({
    name: "MCP_SESSION_POOL_CREATE_TIMEOUT",
    kind: seconds(),
    default: "30.0",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Time for opening a session.",
  }),
  setting({
    name: "MCP_SESSION_POOL_IDLE_EVICTION",
    kind: seconds(),
    default: "600.0",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Time without a call after which all sessions of a key are closed.",
  }),
  setting({
    name: "MCP_SESSION_POOL_CIRCUIT_BREAKER_THRESHOLD",
    kind: int({ min: 1, max: 1_000_000 }),
    default: "5",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Consecutive failures to open a session that open the circuit of a URL. Calls to that URL then " +
      "fail immediately.",
  }),
  setting({
    name: "MCP_SESSION_POOL_CIRCUIT_BREAKER_RESET",
    kind: seconds(),
    default: "60.0",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Time that a circuit stays open until one call may try again.",
  }),
  setting({
    name: "MCP_SESSION_POOL_EXPLICIT_HEALTH_RPC",
    kind: bool(),
    default: "false",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Check an idle session by tools/list, within HEALTH_CHECK_TIMEOUT, before the other methods.",
  }),
  setting({
    name: "MCP_SESSION_POOL_IDENTITY_HEADERS",
    kind: list("header names", headerName),
    default: "Authorization,X-Tenant-ID,X-User-ID,X-API-Key,Cookie",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Request headers that are part of a caller's identity, besides the verified token.",
  }),
  setting({
    name: "MCP_SESSION_POOL_MAX_TOTAL_KEYS",
    kind: int({ min: 0, max: 10_000_000, hint: "0: unlimited" }),
    default: "0",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Keys in a worker's pool.",
  }),
  setting({
    name: "MCP_SESSION_POOL_MAX_TOTAL_SESSIONS",
    kind: int({ min: 0, max: 10_000_000, hint: "0: unlimited" }),
    default: "0",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Sessions in a worker's pool.",
  }),
] as const;
