// Measures the operations of MCP: those that clients ask for, and those that upstreams are asked for. On a warm call it allocates nothing.
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { ChildOf, Metrics } from "../../telemetry/metrics.ts";
import type { HistogramChild, SummaryChild } from "../../telemetry/metric_values.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { ExecutedKind, ExecutionMeter } from "../../telemetry/executions.ts";
import { errorTypeOf, thrownTypeOf, TOOL_ERROR } from "./outcome.ts";

/** What a request is for: an entry of the catalog, which tool calls have, or only its upstream. */
export interface CalledEntry {
  readonly gateway: GatewayRow;
  readonly row?: { readonly id: string; readonly originalName?: string };
}

/** The endpoint of a call: null: of everything. */
export interface CalledScope {
  readonly server: { readonly id: string } | null;
}

interface ToolChildren {
  readonly time: SummaryChild;
  readonly success: Float64Array;
  readonly toolError: Float64Array;
  readonly error: Float64Array;
}

interface UpstreamChildren {
  /** By method. */
  readonly successes: Map<string, HistogramChild>;
  readonly tools: Map<string, ToolChildren>;
}

const NO_ERROR = "";

/** A method that the gateway does not know. */
export const OTHER_METHOD = "_OTHER";

export class CallMeter {
  readonly #serverOf: ChildOf<HistogramChild>;
  readonly #clientOf: ChildOf<HistogramChild>;
  readonly #callsOf: ChildOf<Float64Array>;
  readonly #timeOf: ChildOf<SummaryChild>;
  readonly #maxNames: number;
  readonly #methods = new Map<string, HistogramChild>();
  readonly #upstreams = new Map<string, UpstreamChildren>();
  readonly #executions: ExecutionMeter | null;
  #tools = 0;
  /** The latest result of a tool, and its error type: most go to the client as they are, and are not searched again. */
  #searched: RpcAnswer | null = null;
  #typeOfSearched = NO_ERROR;

  /**
   * @param maxNames bounds what is kept at hand for upstreams, and for tools
   * @param executions null: the database gets none
   */
  constructor(metrics: Metrics, maxNames: number, executions: ExecutionMeter | null = null) {
    this.#executions = executions;
    this.#serverOf = metrics.histogram("mcp_server_operation_duration_seconds");
    this.#clientOf = metrics.histogram("mcp_client_operation_duration_seconds");
    this.#callsOf = metrics.counterBy("sluice_tool_calls_total");
    this.#timeOf = metrics.summary("sluice_tool_call_duration_seconds");
    this.#maxNames = maxNames;
  }

  /**
   * A client's request is answered.
   * @param method null: the gateway does not know it
   * @param startedAt by performance.now()
   * @returns the error type of the answer; empty: it is a success
   */
  served(
    method: string | null,
    startedAt: number,
    answer: RpcAnswer,
    endedAt = performance.now(),
  ): string {
    const seconds = (endedAt - startedAt) / 1_000;
    const name = method ?? OTHER_METHOD;
    const isToolCall = name === "tools/call";
    const type = isToolCall && answer === this.#searched
      ? this.#typeOfSearched
      : errorTypeOf(answer, isToolCall);
    this.#searched = null;
    let child = type === NO_ERROR ? this.#methods.get(name) : this.#serverOf(name, type);
    if (child === undefined) this.#methods.set(name, child = this.#serverOf(name, NO_ERROR));
    child.observe(seconds);
    return type;
  }

  /**
   * An upstream has answered.
   * @param startedAt by performance.now()
   * @returns its error type; empty: no error
   */
  answered(
    scope: CalledScope,
    entry: CalledEntry,
    method: string,
    startedAt: number,
    answer: RpcAnswer,
    endedAt = performance.now(),
  ): string {
    const isToolCall = method === "tools/call";
    const type = errorTypeOf(answer, isToolCall);
    if (isToolCall) {
      this.#searched = answer;
      this.#typeOfSearched = type;
    }
    this.#ended(scope, entry, method, startedAt, type, endedAt);
    return type;
  }

  /** A request to an upstream has failed. @param isAborted its client has given it up @returns its error type */
  failed(
    scope: CalledScope,
    entry: CalledEntry,
    method: string,
    startedAt: number,
    { error, isAborted }: { readonly error: unknown; readonly isAborted: boolean },
    endedAt = performance.now(),
  ): string {
    const type = thrownTypeOf(error, isAborted);
    this.#ended(scope, entry, method, startedAt, type, endedAt);
    return type;
  }

  #ended(
    { server }: CalledScope,
    { gateway: { id, name }, row }: CalledEntry,
    method: string,
    startedAt: number,
    type: string,
    now: number,
  ): void {
    const seconds = (now - startedAt) / 1_000;
    const isFailure = type !== NO_ERROR;
    const upstream = this.#upstream(name);
    const child = isFailure ? this.#clientOf(name, method, type) : this.#success(upstream, name, method);
    child.observe(seconds);
    const kind = kindOf(method);
    if (kind === null) return;
    if (kind === "tool") {
      const tool = this.#tool(upstream, name, row!.originalName!);
      tool.time.observe(seconds, now);
      const count = !isFailure ? tool.success : type === TOOL_ERROR ? tool.toolError : tool.error;
      count[0]!++;
    }
    const executions = this.#executions;
    if (executions === null) return;
    executions.ended("gateway", id, seconds, now, isFailure);
    if (row !== undefined && isRegistered(row)) executions.ended(kind, row.id, seconds, now, isFailure);
    if (server !== null) executions.ended("server", server.id, seconds, now, isFailure);
  }

  #upstream(name: string): UpstreamChildren {
    const known = this.#upstreams.get(name);
    if (known !== undefined) return known;
    const children = { successes: new Map(), tools: new Map() };
    if (this.#upstreams.size < this.#maxNames) this.#upstreams.set(name, children);
    return children;
  }

  /** @param method one that the gateway sends to upstreams, of which there are few */
  #success({ successes }: UpstreamChildren, upstream: string, method: string): HistogramChild {
    let child = successes.get(method);
    if (child === undefined) successes.set(method, child = this.#clientOf(upstream, method, NO_ERROR));
    return child;
  }

  #tool({ tools }: UpstreamChildren, upstream: string, tool: string): ToolChildren {
    const known = tools.get(tool);
    if (known !== undefined) return known;
    const children = {
      time: this.#timeOf(upstream, tool),
      success: this.#callsOf(upstream, tool, "success"),
      toolError: this.#callsOf(upstream, tool, TOOL_ERROR),
      error: this.#callsOf(upstream, tool, "error"),
    };
    if (this.#tools < this.#maxNames) {
      this.#tools++;
      tools.set(tool, children);
    }
    return children;
  }
}

/** What a request executes; null: nothing. */
function kindOf(method: string): ExecutedKind | null {
  if (method === "tools/call") return "tool";
  if (method === "resources/read") return "resource";
  return method === "prompts/get" ? "prompt" : null;
}

/** Ids of entries that only a client's session lists are no ids of the registry: catalog/overlay/new_rows.ts. */
function isRegistered({ id }: { readonly id: string }): boolean {
  return !id.includes("/");
}
