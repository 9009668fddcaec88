// The `requestState` of an upstream on its way through a client (2026-07-28, "Multi Round-Trip Requests"): to the upstream all
// callers of the gateway are one, so it cannot tell whose state comes back. Sealed, it is good for its caller's same request alone.
import type { Clock } from "../../base/clock.ts";
import { isObject, memberText, memberValue, replaceMember, type RequestMessage } from "../../mcp/json_rpc.ts";
import { Seal } from "../../proxy/call/seal.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import { type RetriedRequest, stateRefused } from "./retried_request.ts";

export interface UpstreamStatesOptions {
  /** The deployment's. */
  readonly secret: string;
  readonly clock: Clock;
  /** How long a client may take to come back: MCP_CLIENT_REQUEST_TIMEOUT. */
  readonly timeoutMs: number;
}

export class UpstreamStates {
  readonly #seal: Seal;
  readonly #clock: Clock;
  readonly #timeoutMs: number;

  constructor({ secret, clock, timeoutMs }: UpstreamStatesOptions) {
    this.#seal = new Seal(secret, "upstream request state");
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** An upstream's answer as the client gets it. */
  toClient(answer: RpcAnswer, request: RetriedRequest): RpcAnswer {
    const { text, failed } = answer;
    if (failed || !text.includes("requestState")) return answer;
    if (memberValue(text, "resultType") !== "input_required") return answer;
    const state = memberValue(text, "requestState");
    if (typeof state !== "string") return answer;
    const sealed = this.#seal.seal(
      contextOf(request),
      JSON.stringify([this.#clock.now() + this.#timeoutMs, state]),
    );
    return { text: replaceMember(text, "requestState", JSON.stringify(sealed)), failed };
  }

  /**
   * A client's request as the upstream gets it.
   * @throws {SluiceError} INVALID_PARAMS where its state is not one for this request, or came too late
   */
  toUpstream(message: RequestMessage, request: RetriedRequest): RequestMessage {
    const { params, text } = message;
    if (!isObject(params) || params.requestState === undefined) return message;
    const requestState = this.#open(params.requestState, request);
    const paramsText = replaceMember(
      memberText(text, "params")!,
      "requestState",
      JSON.stringify(requestState),
    );
    return {
      ...message,
      params: { ...params, requestState },
      text: replaceMember(text, "params", paramsText),
    };
  }

  #open(sealed: unknown, request: RetriedRequest): string {
    const text = typeof sealed === "string" ? this.#seal.open(contextOf(request), sealed) : null;
    const [until, state] = text === null ? [0, ""] : JSON.parse(text) as [number, string];
    if (until <= this.#clock.now()) throw stateRefused();
    return state;
  }
}

function contextOf({ owner: { issuer, subject, serverId }, digest }: RetriedRequest): string {
  return JSON.stringify([issuer, subject, serverId, digest]);
}
