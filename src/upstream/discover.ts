// Discovery: reads what an upstream offers. Every page of every list that its capabilities promise, unchanged.
import { SluiceError } from "../base/errors.ts";
import { elementTexts, isObject, type JsonObject, memberText } from "../mcp/json_rpc.ts";
import { annotationFault } from "../mcp/param_annotations.ts";
import { META, STATELESS_REVISION } from "../mcp/revisions.ts";
import type { Discovery } from "../store/registry/rows.ts";
import type { UpstreamTransport } from "./transport/transport.ts";
import type { SessionCall, UpstreamChannel } from "./session/upstream_channel.ts";
import { isInitializeRefused } from "./session/refusals.ts";
import { isOurDoing, isUnreachable } from "./resilience/failures.ts";
import { handshake, probeStateless, type StatelessUpstream } from "./session/open_session.ts";
import type { SessionOpenOptions } from "./session/upstream_session.ts";

export interface DiscoverOptions {
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** For each request; MCP_SESSION_POOL_TRANSPORT_TIMEOUT. */
  readonly timeoutMs: number;
}

/** Bounds discovery of a server whose cursors never end. */
const MAX_PAGES = 1_000;

/**
 * Capabilities that some client may have. Servers offer certain tools only to clients that declare them. A client's own
 * session declares the client's real capabilities.
 */
const ANY_CLIENT =
  '{"roots":{"listChanged":true},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}}}';

const METHOD_NOT_FOUND = -32601;

/**
 * Time limit of the first probe. An older server may ignore a request it does not know; registration must not wait for it.
 */
const MAX_PROBE_MS = 5_000;

/** Connects, finds the revision, reads the lists and closes the session. @throws {SluiceError} UPSTREAM_* */
export async function discover(transport: UpstreamTransport, options: DiscoverOptions): Promise<Discovery> {
  const timeoutSetting = "MCP_SESSION_POOL_TRANSPORT_TIMEOUT";
  const call = { ...options, timeoutSetting, clientCapabilities: ANY_CLIENT };
  const { session, capabilities, serverInfo, instructions } = await introduce(transport, call);
  try {
    const { upstream } = transport;
    const offered = isObject(capabilities) ? capabilities : {};
    let listTtlMs: number | null = null;
    const onTtl = (ttlMs: number) => listTtlMs = Math.min(ttlMs, listTtlMs ?? Infinity);
    const list = (capability: string, method: string, key: string) =>
      capability in offered ? listAll(session, method, key, { upstream, call, onTtl }) : Promise.resolve([]);
    const lists = {
      ...offerable(await list("tools", "tools/list", "tools"), session),
      resources: textsOf(await list("resources", "resources/list", "resources")),
      resourceTemplates: textsOf(await list("resources", "resources/templates/list", "resourceTemplates")),
      prompts: textsOf(await list("prompts", "prompts/list", "prompts")),
    };
    return {
      capabilities: offered,
      serverInfo: isObject(serverInfo) ? serverInfo : null,
      instructions: typeof instructions === "string" ? instructions : null,
      protocolVersion: session.protocolVersion,
      stateful: session.isStateful,
      listTtlMs,
      ...lists,
    };
  } finally {
    await session.close();
  }
}

/** The upstream's description of itself. */
interface Introduction {
  readonly session: UpstreamChannel;
  readonly capabilities?: unknown;
  readonly serverInfo?: unknown;
  readonly instructions?: unknown;
}

/**
 * Sends a 2026-07-28 request first, because an older server refuses the unknown method. The refusal of `initialize` would
 * prove less.
 */
async function introduce(transport: UpstreamTransport, options: SessionOpenOptions): Promise<Introduction> {
  const timeoutMs = Math.min(MAX_PROBE_MS, options.timeoutMs);
  const stateless = await probeStateless(transport, { ...options, timeoutMs }).catch((error) => {
    if (isUnreachable(error) || isOurDoing(error)) throw error;
    return null;
  });
  if (stateless !== null) return statelessIntroduction(stateless);
  try {
    const session = await handshake(transport, options);
    return { ...session.initialized, session };
  } catch (error) {
    if (!isInitializeRefused(error)) throw error;
    // The upstream may have been too slow for the probe.
    const again = await probeStateless(transport, options).catch(() => null);
    if (again === null) throw error;
    return statelessIntroduction(again);
  }
}

function statelessIntroduction({ session, discovered }: StatelessUpstream): Introduction {
  const { capabilities, instructions, _meta } = discovered;
  return {
    session,
    capabilities,
    instructions,
    serverInfo: isObject(_meta) ? _meta[META.serverInfo] : undefined,
  };
}

/** One object of a list and its text. The text may hold numbers that a parsed value cannot. */
interface Listed {
  readonly value: JsonObject;
  readonly text: string;
}

function textsOf(listed: readonly Listed[]): string[] {
  return listed.map(({ text }) => text);
}

/** Tools with invalid parameter annotations must not be offered. Older revisions have no annotations. */
function offerable(
  tools: Listed[],
  { protocolVersion }: UpstreamChannel,
): Pick<Discovery, "tools" | "refusedTools"> {
  if (protocolVersion !== STATELESS_REVISION) return { tools: textsOf(tools) };
  const judged = tools.map((tool) => ({ tool, reason: annotationFault(tool.value.inputSchema) }));
  return {
    tools: textsOf(judged.flatMap(({ tool, reason }) => reason === null ? [tool] : [])),
    refusedTools: judged.flatMap(({ tool, reason }) =>
      reason === null ? [] : [{ name: String(tool.value.name), reason }]
    ),
  };
}

async function listAll(
  session: UpstreamChannel,
  method: string,
  key: string,
  { upstream, call, onTtl }: { upstream: string; call: SessionCall; onTtl: (ttlMs: number) => void },
): Promise<Listed[]> {
  const broken = (reason: string) =>
    new SluiceError("UPSTREAM_PROTOCOL_ERROR", { upstream, reason: `${method}: ${reason}` });
  const items: Listed[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await session.request(
      method,
      cursor === undefined ? undefined : JSON.stringify({ cursor }),
      call,
    );
    const value: unknown = JSON.parse(answer.text);
    if (answer.failed) {
      // Servers that declare `resources` may lack the templates list. The gateway treats it as empty.
      if (isObject(value) && value.code === METHOD_NOT_FOUND && page === 0) return [];
      const reason = isObject(value) && typeof value.message === "string" ? value.message : "no reason given";
      throw new SluiceError("UPSTREAM_REJECTED", { upstream, method, reason });
    }
    if (!isObject(value) || !Array.isArray(value[key])) throw broken(`the result has no "${key}" array`);
    if (Number.isSafeInteger(value.ttlMs)) onTtl(Math.max(0, Number(value.ttlMs)));
    const texts = elementTexts(memberText(answer.text, key)!);
    value[key].forEach((item: unknown, i: number) => {
      if (!isObject(item)) throw broken(`an entry of "${key}" is not an object`);
      items.push({ value: item, text: texts[i]! });
    });
    const next = value.nextCursor ?? null;
    // In older revisions "" means no further page. In 2026-07-28 "" is a valid cursor (pagination).
    if (next === null || (next === "" && session.protocolVersion !== STATELESS_REVISION)) return items;
    if (typeof next !== "string") throw broken('"nextCursor" is not a string');
    cursor = next;
    if (seen.has(cursor)) throw broken("the same cursor came twice");
    seen.add(cursor);
  }
  throw broken(`more than ${MAX_PAGES} pages`);
}
