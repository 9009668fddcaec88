// Seals the `requestState` of an upstream for its way through a client (2026-07-28, "Multi Round-Trip Requests"). An upstream sees one
// caller, the gateway, and cannot tell whose state returns. A sealed state is only valid for the same request of the same caller.
import type { Clock } from "../../base/clock.ts";
import { isObject, memberText, memberValue, replaceMember, type RequestMessage } from "../../mcp/json_rpc.ts";
import { Seal } from "../../proxy/call/seal.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import { type RetriedRequest, stateRefused } from "./retried_request.ts";

export interface UpstreamStatesOptions {
  /** AUTH_ENCRYPTION_SECRET */
  readonly secret: string;
  readonly clock: Clock;
  /** Time for a client to answer: MCP_CLIENT_REQUEST_TIMEOUT. */
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

  /** Seals the state in an upstream's response. */
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
   * Unseals the state in a client's request.
   * @throws {SluiceError} INVALID_PARAMS for a state of another request, or an expired one
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

function contextOf({ owner: { issuer, subject, reach, serverId }, digest }: RetriedRequest): string {
  return JSON.stringify([issuer, subject, reach, serverId, digest]);
}
