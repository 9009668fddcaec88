// Schemas of answers about virtual servers and the gateway itself.
import * as z from "zod";
import { field } from "../rest/described.ts";
import {
  absent,
  count,
  ENTITY,
  executions,
  flag,
  jsonOrNull,
  text,
  textOrNull,
  time,
  WARNINGS,
} from "./answers.ts";

const MEMBER_ID = "9a4c1f8e6d3a5b7c9e1f207d0c5f1e2b";

const conflict = z.strictObject({
  kind: field(
    z.enum(["tool", "prompt", "resource", "template", "overlap"]),
    "What is in conflict. `overlap`: a template matches URIs of another upstream's resource or longer template.",
    "tool",
  ),
  name: text("The name or URI that both entries have.", "convert-time"),
  keptById: text("The entry that keeps the name or URI.", MEMBER_ID),
  renamedId: field(z.string().optional(), "The tool or prompt that gets another name."),
  renamedTo: field(z.string().optional(), "The other name."),
  hiddenId: field(z.string().optional(), "The resource or template that clients do not see."),
}).describe("Two members of a virtual server with the same name or URI.");

const override = z.strictObject({
  name: field(z.string().optional(), "The name of the tool on this server.", "now"),
  description: field(z.string().optional(), "The description of the tool on this server."),
});

const names = (description: string, example: string[] = []) =>
  field(z.array(z.string()), description, example);

export const server = z.strictObject({
  ...ENTITY,
  name: text("The name of the virtual server.", "Travel"),
  description: textOrNull("The description of the virtual server.", "Tools for travellers"),
  icon: textOrNull("The address of an icon.", null),
  naming: field(
    z.enum(["prefixed", "original"]),
    "Whether members have their names from the registry or from their upstreams.",
    "prefixed",
  ),
  toolOverrides: field(
    z.record(z.string(), override),
    "Names and descriptions of tools on this server, by tool id.",
    {},
  ),
  conflicts: field(z.array(conflict), "Members that have the same name or URI.", []),
  serverInfo: jsonOrNull("Members of `serverInfo` that replace those of the gateway.", { name: "travel" }),
  instructions: textOrNull("The instructions for models; null for the description.", null),
  revisions: field(
    z.union([z.enum(["auto", "all"]), z.array(z.string())]),
    "The MCP revisions that the server offers: those of its upstreams (`auto`), all, or a list.",
    "auto",
  ),
  associatedTools: names("The names of the tools that were chosen one by one.", ["time-convert-time"]),
  associatedToolIds: names("The ids of those tools.", [MEMBER_ID]),
  associatedResources: names("The ids of the resources that were chosen one by one."),
  associatedPrompts: names("The ids of the prompts that were chosen one by one."),
  associatedGateways: names("The names of the gateways whose entries are all members."),
  associatedGatewayIds: names("The ids of those gateways."),
  associatedTags: names("Tags: entries and gateways with one of them are members."),
  excluded: names("Names and URIs that gateways and tags do not bring in."),
  associatedA2aAgents: field(z.array(z.string()).max(0), "Always empty: a field of ContextForge.", []),
  oauthEnabled: field(z.literal(false), "Always false: a field of ContextForge.", false),
  oauthConfig: absent("Always null: a field of ContextForge."),
  metrics: field(
    executions.nullable(),
    "The executions at the virtual server, where it is read alone; null in lists and after a change.",
  ),
  ...WARNINGS,
}).describe("A virtual server.");

export const healthy = z.strictObject({
  status: field(z.literal("healthy"), "Always `healthy`.", "healthy"),
}).describe("The process is alive.");

export const ready = z.strictObject({
  status: field(z.literal("ready"), "Always `ready`.", "ready"),
}).describe("The gateway can serve requests.");

export const notReady = z.strictObject({
  status: field(z.literal("not ready"), "Always `not ready`.", "not ready"),
  reasons: field(z.array(z.string()), "One reason for each service that does not answer.", [
    "database: no answer within 2000 ms",
  ]),
}).describe("The gateway cannot serve requests now.");

export const registrationRefused = z.strictObject({
  error: field(
    z.literal("invalid_client_metadata"),
    "The error code of RFC 7591.",
    "invalid_client_metadata",
  ),
  error_description: text(
    "How to use a token instead.",
    "no login page here: put a token into the Authorization header",
  ),
}).describe("The error response of RFC 7591.");

export const version = z.strictObject({
  app: field(
    z.strictObject({
      name: text("The name of the program.", "sluice"),
      version: text("The version of the program.", "0.1.0"),
      commit: text("The commit that the executable was compiled from.", "3a7c190"),
    }),
    "The program.",
  ),
  platform: field(
    z.strictObject({
      deno: text("The version of Deno.", "2.9.6"),
      os: text("The operating system.", "linux"),
      arch: text("The architecture of the machine.", "x86_64"),
    }),
    "What the program runs on.",
  ),
  mcp: field(
    z.strictObject({
      revisions: field(z.array(z.string()), "The MCP revisions that are served, newest first.", [
        "2026-07-28",
      ]),
    }),
    "The protocol.",
  ),
  workers: count("How many workers share the port.", 2),
  database: field(
    z.strictObject({ kind: text("The kind of the database.", "sqlite") }),
    "The database.",
  ),
  heldChanges: count("How many changes of upstreams wait for an approval.", 0),
  startedAt: time("When the worker that answers was started."),
}).describe("Diagnostics without secrets.");

const poolRow = z.strictObject({
  upstream: text("The name of the upstream.", "time"),
  available: count("Idle sessions.", 1),
  active: count("Sessions in use.", 0),
  waiting: count("Callers that wait for a session.", 0),
  max: count("The limit of sessions.", 10),
});

const breakerRow = z.strictObject({
  state: field(z.enum(["closed", "half_open", "open"]), "The state of the circuit breaker.", "closed"),
  failures: count("Consecutive failures to open a session.", 0),
  open_until: field(
    z.number().nullable(),
    "When an open breaker lets a probe through, seconds since 1970.",
    null,
  ),
});

export const poolMetrics = z.strictObject({
  enabled: flag("Whether `MCP_SESSION_POOL_ENABLED` is true."),
  workers: count("How many workers have answered.", 2),
  total_sessions_created: count("Sessions that were opened."),
  total_sessions_reused: count("Leases that got an open session."),
  pool_hits: count("Leases that got an open session."),
  pool_misses: count("Leases that had to open a session."),
  hits: count("The same as `pool_hits`."),
  misses: count("The same as `pool_misses`."),
  hit_rate: field(z.number(), "The share of hits, from 0 to 1.", 0.5),
  evictions: count("Idle sessions that were closed to make room.", 0),
  health_check_failures: count("Idle sessions that failed their check.", 0),
  creation_failures: count("Sessions that could not be opened.", 0),
  pool_keys_evicted: count("Keys that were dropped to make room.", 0),
  sessions_reaped: count("Sessions that were closed because of their age or idleness.", 0),
  anonymous_identity_count: count("Leases without an identity of the caller.", 0),
  acquire_timeouts: count("Leases that waited in vain.", 0),
  circuit_breaker_trips: count("How often a circuit breaker opened.", 0),
  active_sessions: count("Sessions in use.", 0),
  total_active_sessions: count("The same as `active_sessions`.", 0),
  idle_sessions: count("Idle sessions.", 1),
  validating: count("Sessions whose health is being checked.", 0),
  creating: count("Sessions that are being opened.", 0),
  waiting: count("Callers that wait for a session.", 0),
  pool_key_count: count("Keys: upstreams by transport and identity.", 1),
  max_total_keys: count("The limit of keys.", 2000),
  max_total_sessions: count("The limit of sessions.", 1000),
  pools_omitted: count("Keys that are counted but not listed.", 0),
  circuit_breaker_states: field(
    z.record(z.string(), z.string()),
    "The state of each circuit breaker, by address.",
    {},
  ),
  session_affinity: field(
    z.strictObject({
      local_hits: count("Always 0: a field of ContextForge.", 0),
      redis_hits: count("Always 0: a field of ContextForge.", 0),
      misses: count("Always 0: a field of ContextForge.", 0),
      hit_rate: count("Always 0: a field of ContextForge.", 0),
      forwarded_requests: count("Always 0: a field of ContextForge.", 0),
      forwarded_failures: count("Always 0: a field of ContextForge.", 0),
      forwarded_timeouts: count("Always 0: a field of ContextForge.", 0),
    }),
    "Always zeros: fields of ContextForge.",
  ),
  pools: field(z.record(z.string(), poolRow), "Each key of the pool.", {}),
  circuit_breakers: field(z.record(z.string(), breakerRow), "Each circuit breaker, by address.", {}),
}).describe("The session pools of all workers together.");

export const drained = z.strictObject({
  closed: count("Sessions that were closed.", 2),
  pending: count("Sessions in use, which are closed after their call.", 0),
}).describe("What became of the pooled sessions.");

export const frontPage = z.strictObject({
  name: text("The name of the program.", "sluice"),
  version: text("The version of the program.", "0.1.0"),
  endpoints: field(
    z.strictObject({
      admin: text("The pages for people.", "/admin"),
      mcp: text("MCP over streamable HTTP.", "/mcp"),
      rpc: text("JSON-RPC without a session.", "/rpc"),
      server: text("MCP of one virtual server.", "/servers/{id}/mcp"),
      docs: text("The page that describes the REST API.", "/docs"),
      openapi: text("The description of the REST API.", "/openapi.json"),
      health: text("Whether the process is alive.", "/health"),
    }),
    "The paths of this gateway, with the prefix of a reverse proxy.",
  ),
  manual: text("The command that prints the manual.", "sluice help"),
}).describe("What this gateway is, and where its endpoints are.");
