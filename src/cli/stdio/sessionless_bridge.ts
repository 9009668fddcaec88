// Requests of 2026-07-28 in a bridge. Over HTTP their headers repeat what the body says, the end of a response cancels its request, and
// a subscription is a response that stays open.
import { headerText } from "../../mcp/header_text.ts";
import { classify, isObject, memberText, type RequestMessage, requestText } from "../../mcp/json_rpc.ts";
import { type ParamAnnotation, paramAnnotations } from "../../mcp/param_annotations.ts";
import { metaOf, NAMED_BY } from "../../mcp/request_meta.ts";
import { META } from "../../mcp/revisions.ts";
import { headersFromArguments } from "../../proxy/call/param_headers.ts";
import { type BridgeLink, failRequests, pause, POST_HEADERS, REFUSED_MS, REOPEN_MS } from "./bridge_link.ts";
import { Refusal } from "./gateway_fault.ts";
import { MessageStream } from "./message_stream.ts";

/** Pages of a list of tools that are read for one call. */
const MAX_PAGES = 100;

const ACKNOWLEDGED = '"notifications/subscriptions/acknowledged"';

export class SessionlessBridge {
  readonly #link: BridgeLink;
  /** The arguments that headers repeat, by tool, as the lists that the client has seen say. */
  readonly #annotations = new Map<string, readonly ParamAnnotation[]>();

  constructor(link: BridgeLink) {
    this.#link = link;
  }

  /** Delivers notifications and the response, be it a refusal. @param signal cancels the request */
  async ask(request: RequestMessage, signal: AbortSignal): Promise<void> {
    try {
      const response = await this.#send(request, signal).catch(async (error) => {
        const isUnknownTool = request.method === "tools/call" && error instanceof Refusal &&
          error.code === "HEADER_MISMATCH";
        if (!isUnknownTool) throw error;
        await this.#learnAll(request, signal);
        return await this.#send(request, signal);
      });
      const stream = MessageStream.in(response);
      const messages = stream === null ? [await response.text()] : stream.messages();
      for await (const message of messages) {
        if (signal.aborted) return;
        if (request.method === "tools/list") this.#learn(message);
        this.#link.deliver(message);
      }
    } catch (error) {
      if (!signal.aborted) failRequests(this.#link, [request], error);
    }
  }

  /** Delivers the notifications of a subscription, over restarts of the gateway, until the client ends it or the gateway refuses it. */
  async listen(request: RequestMessage, signal: AbortSignal): Promise<void> {
    let isAcknowledged = false;
    while (!signal.aborted) {
      let waitMs = REOPEN_MS;
      try {
        const stream = MessageStream.in(await this.#send(request, signal));
        if (stream === null) return;
        for await (const message of stream.messages()) {
          const method = memberText(message, "method");
          // The response says that the gateway ends the subscription; it begins again below.
          if (signal.aborted || method === undefined || method === ACKNOWLEDGED && isAcknowledged) continue;
          isAcknowledged ||= method === ACKNOWLEDGED;
          this.#link.deliver(message);
        }
        waitMs = stream.retryMs ?? REOPEN_MS;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Refusal) || error.status !== 0) {
          return failRequests(this.#link, [request], error);
        }
        this.#link.report(error);
        waitMs = REFUSED_MS;
      }
      await pause(this.#link, waitMs, signal);
    }
  }

  /** Reads the lists of tools for a client that calls one without having listed it. */
  async #learnAll({ text }: RequestMessage, signal: AbortSignal): Promise<void> {
    const meta = memberText(memberText(text, "params")!, "_meta")!;
    for (let cursor: unknown = undefined, page = 0; page < MAX_PAGES; page++) {
      const next = cursor === undefined ? "" : `,"cursor":${JSON.stringify(cursor)}`;
      const params = `{"_meta":${meta}${next}}`;
      const list = requestText(page, "tools/list", params);
      const request = classify(JSON.parse(list), list) as RequestMessage;
      const answer = await (await this.#send(request, signal)).text();
      this.#learn(answer);
      cursor = JSON.parse(answer).result?.nextCursor;
      if (typeof cursor !== "string") return;
    }
  }

  #send(request: RequestMessage, signal: AbortSignal): Promise<Response> {
    const headers = { ...POST_HEADERS, ...this.#claimHeaders(request) };
    return this.#link.gateway.send({ method: "POST", headers, body: request.text, signal });
  }

  #claimHeaders({ method, params }: RequestMessage): Record<string, string> {
    const version = metaOf(params)?.[META.protocolVersion];
    const namedBy = NAMED_BY[method];
    const name = namedBy !== undefined && isObject(params) ? params[namedBy] : undefined;
    const annotations = method === "tools/call" ? this.#annotations.get(String(name)) ?? [] : [];
    return {
      "mcp-protocol-version": String(version),
      "mcp-method": headerText(method),
      ...(typeof name === "string" ? { "mcp-name": headerText(name) } : {}),
      ...Object.fromEntries(
        headersFromArguments(annotations, isObject(params) ? params.arguments : undefined),
      ),
    };
  }

  #learn(text: string): void {
    const { result }: { result?: unknown } = JSON.parse(text);
    const tools = isObject(result) && Array.isArray(result.tools) ? result.tools : [];
    for (const tool of tools) {
      const annotations = paramAnnotations(tool.inputSchema);
      if (annotations.length > 0) this.#annotations.set(String(tool.name), annotations);
      else this.#annotations.delete(String(tool.name));
    }
  }
}
