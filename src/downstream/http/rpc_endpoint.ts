// POST /rpc: JSON-RPC without a session, one message or a batch, in ContextForge's shape.
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import { SluiceError } from "../../base/errors.ts";
import type { ReadBody } from "../../http/body.ts";
import { errorHeaders, type ErrorReporter, rpcErrorText } from "../../http/error_response.ts";
import { jsonResponse } from "./json_response.ts";
import type { ClientWatch } from "../../http/client_watch.ts";
import type { Endpoint, Exchange } from "../../http/handler.ts";
import {
  classify,
  errorText,
  idText,
  isObject,
  memberText,
  parseJson,
  piecesOf,
  removeMember,
  replaceMember,
  type RequestMessage,
} from "../../mcp/json_rpc.ts";
import { LATEST_SESSION_REVISION } from "../../mcp/revisions.ts";
import { noteBody, noteMethod } from "../../telemetry/call_note.ts";
import type { CallContext } from "../../proxy/call/call_context.ts";
import type { Dispatcher } from "../../proxy/dispatch.ts";
import { serverIdOf } from "../../store/sql/server_ids.ts";
import {
  type BatchCounts,
  type BatchPlaces,
  checkLength,
  countBatch,
  serveBatch,
} from "../exchange/batch.ts";
import { noteMember, noteRequest } from "../exchange/request_note.ts";
import { scopeFor } from "../exchange/visible_scope.ts";

export interface RpcDeps extends BatchCounts {
  readonly dispatcher: Dispatcher;
  readonly catalog: () => Catalog;
  readonly memory: ClientMemory;
  readonly clients: Pick<ClientWatch, "enter" | "leave">;
  readonly readBody: ReadBody;
  readonly maxJsonDepth: number;
  readonly errors: ErrorReporter;
  readonly batchPlaces: BatchPlaces;
}

export class RpcEndpoint implements Endpoint {
  readonly name = "rpc";
  readonly speaks = "json-rpc";
  readonly #deps: RpcDeps;

  constructor(deps: RpcDeps) {
    this.#deps = deps;
  }

  /** A failed call is a JSON-RPC error with HTTP 200. A request that is not JSON-RPC gets 400. */
  async serve(exchange: Exchange): Promise<Response> {
    const { request, principal, note, trace } = exchange;
    const { catalog, clients, readBody, maxJsonDepth } = this.#deps;
    if (request.method !== "POST") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method: request.method, allowed: "POST" });
    }
    const text = await readBody(request, exchange);
    const value = parseJson(text, maxJsonDepth);
    if (Array.isArray(value)) {
      checkLength(value);
      countBatch(this.#deps, exchange, value.length);
    }
    const clientGone = clients.enter(request);
    const call: CallContext = {
      principal,
      scope: scopeFor(catalog(), principal, null),
      revision: LATEST_SESSION_REVISION,
      toolsAsMethods: true,
      bound: null,
      received: request.headers,
      signal: clientGone,
      quotaRefusal: Array.isArray(value) ? undefined : exchange,
      note,
      trace,
    };
    try {
      return Array.isArray(value)
        ? await this.#batch(value, text, call, exchange)
        : await this.#respond(value, text, call, exchange);
    } finally {
      clients.leave(clientGone);
    }
  }

  async #respond(value: unknown, text: string, call: CallContext, exchange: Exchange): Promise<Response> {
    const message = classify(value, text);
    if (message.kind !== "request") return accepted();
    if (call.note !== undefined) noteRequest(call.note, message);
    return this.#json(await this.#answer(message, call), exchange);
  }

  /** Serves a request at the endpoint, or at the virtual server that its `params.server_id` names, as in ContextForge. */
  #answer(message: RequestMessage, call: CallContext): Promise<string> | string {
    const { dispatcher, catalog } = this.#deps;
    const { method, params } = message;
    // The params of a tool that is called as a method are its arguments.
    if (!isObject(params) || params.server_id === undefined || !dispatcher.knows(method, call.revision)) {
      return dispatcher.respond(call, message);
    }
    const paramsText = removeMember(memberText(message.text, "params")!, "server_id");
    const { server_id: serverId, ...rest } = params;
    const unscoped = { ...message, params: rest, text: replaceMember(message.text, "params", paramsText) };
    try {
      if (serverId !== null && typeof serverId !== "string") {
        throw new SluiceError("INVALID_PARAMS", { reason: '"server_id" must be a string' });
      }
      const scope = scopeFor(catalog(), call.principal, serverId ? serverIdOf(serverId) : null);
      return dispatcher.respond({ ...call, scope }, unscoped);
    } catch (error) {
      return errorText(idText(message), dispatcher.failure(error, call).text);
    }
  }

  /** An invalid message of a batch gets its own error; the others are served. */
  async #batch(
    values: readonly unknown[],
    text: string,
    call: CallContext,
    exchange: Exchange,
  ): Promise<Response> {
    if (call.note !== undefined) noteMethod(call.note, "batch");
    const pieces = piecesOf(values, text);
    const { batchPlaces } = this.#deps;
    const answers = await serveBatch(
      pieces,
      call.principal,
      batchPlaces,
      ([value, own]) => this.#member(value, own, call),
    );
    const given = answers.filter((answer) => answer !== null);
    return given.length === 0 ? accepted() : this.#json(`[${given.join(",")}]`, exchange);
  }

  async #member(value: unknown, text: string, batch: CallContext): Promise<string | null> {
    try {
      const message = classify(value, text);
      if (message.kind !== "request") return null;
      return await this.#answer(message, { ...batch, note: noteMember(batch.note, message) });
    } catch (error) {
      const note = noteMember(batch.note, null);
      const reported = this.#deps.errors.report(error, { note, received: batch.received });
      return errorText("null", rpcErrorText(reported));
    }
  }

  /** @throws {SluiceError} CLIENT_MEMORY_FULL */
  #json(body: string, exchange: Exchange): Response {
    const { overQuota } = exchange;
    if (exchange.note !== undefined) noteBody(exchange.note, body);
    return jsonResponse(this.#deps.memory, exchange, body, {
      status: overQuota === undefined ? 200 : overQuota.row.http,
      headers: {
        "content-type": "application/json",
        ...(overQuota === undefined ? {} : errorHeaders(overQuota)),
      },
    });
  }
}

function accepted(): Response {
  return new Response(null, { status: 202 });
}
