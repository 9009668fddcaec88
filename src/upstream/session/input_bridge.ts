// Answers an input-required result (2026-07-28, "Multi Round-Trip Requests") for a client of an older revision. The client
// receives the input requests as sampling, elicitation or roots requests; then the call is repeated with the answers.
import { Cancellation, type CancelSignal } from "../../base/cancellation.ts";
import { type Clock, sleep, systemClock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { isObject, type JsonObject, memberText, memberTexts, replaceMember } from "../../mcp/json_rpc.ts";
import type { ClientPeer, RpcAnswer } from "../client/client_peer.ts";

export interface InputBridge {
  /** For error texts. */
  readonly upstream: string;
  readonly client: ClientPeer | undefined;
  /** The capabilities that the client declared, as JSON text. */
  readonly clientCapabilities: string;
  readonly signal: CancelSignal | undefined;
  /** The params of the call as sent. */
  readonly params: string;
  /**
   * Repeats the call with a new id and a new time limit. Between two rounds no upstream request is open, so the client's time
   * counts only towards MCP_CLIENT_REQUEST_TIMEOUT.
   */
  readonly ask: (params: string) => Promise<{ readonly answer: RpcAnswer; readonly result: unknown }>;
  readonly clock?: Clock;
}

/** The limit of the official SDK. An upstream that wants more rounds is considered to be in a loop. */
const MAX_ROUNDS = 8;

/** Limit of the requests in one round. Each is sent to the client at once. */
const MAX_REQUESTS = 100;

/** Pause before a repetition without client input, ms. */
const PACE_MS = 250;

export function isInputRequired(result: unknown): result is JsonObject {
  return isObject(result) && result.resultType === "input_required";
}

/** @throws {SluiceError} UPSTREAM_NEEDS_INPUT, CLIENT_DID_NOT_ANSWER, UPSTREAM_*; the signal's reason */
export async function answerInput(
  first: { readonly text: string; readonly result: JsonObject },
  bridge: InputBridge,
): Promise<RpcAnswer> {
  const { params, clock = systemClock, signal } = bridge;
  let { text, result } = first;
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const responses = await answersTo(result, text, bridge);
    if (responses === null) await sleep(clock, PACE_MS, signal);
    const state = memberText(text, "requestState");
    let again = params;
    if (responses !== null) again = replaceMember(again, "inputResponses", responses);
    if (state !== undefined) again = replaceMember(again, "requestState", state);
    const next = await bridge.ask(again);
    if (!isInputRequired(next.result)) return next.answer;
    text = next.answer.text;
    result = next.result;
  }
  throw needsInput(bridge, `it asked for input in more than ${MAX_ROUNDS} rounds`);
}

/** The names in a map of capabilities: "elicitation, sampling". */
export function namesOf(capabilities: unknown): string {
  return isObject(capabilities) ? Object.keys(capabilities).join(", ") : "";
}

/** The client's results by key, as JSON text; null if the upstream requests nothing. */
async function answersTo(result: JsonObject, text: string, bridge: InputBridge): Promise<string | null> {
  if (!isObject(result.inputRequests)) return null;
  const requests = Object.entries(result.inputRequests);
  if (requests.length === 0) return null;
  if (requests.length > MAX_REQUESTS) {
    throw needsInput(bridge, `it asked for more than ${MAX_REQUESTS} inputs at once`);
  }
  const texts = memberTexts(memberText(text, "inputRequests")!);
  // One failed request ends the call and cancels the others.
  const asking = new Cancellation();
  const giveUp = () => asking.cancel(bridge.signal!.reason);
  if (bridge.signal?.aborted) giveUp();
  bridge.signal?.addEventListener("abort", giveUp, { once: true });
  try {
    const all = requests.map(async ([key, request]) => {
      const params = memberText(texts.get(key)!, "params");
      return `${JSON.stringify(key)}:${await answerTo(request, params, asking, bridge)}`;
    });
    return `{${(await Promise.all(all)).join(",")}}`;
  } catch (error) {
    asking.cancel(error);
    throw error;
  } finally {
    bridge.signal?.removeEventListener("abort", giveUp);
  }
}

async function answerTo(
  request: unknown,
  params: string | undefined,
  signal: CancelSignal,
  bridge: InputBridge,
): Promise<string> {
  if (!isObject(request) || typeof request.method !== "string") {
    throw new SluiceError("UPSTREAM_PROTOCOL_ERROR", {
      upstream: bridge.upstream,
      reason: "an input request has no method",
    });
  }
  const { method } = request;
  const isUrlMode = isObject(request.params) && request.params.mode === "url";
  const needed = capabilityFor(method, isUrlMode);
  const { client } = bridge;
  if (client?.request === undefined) {
    throw needsInput(bridge, `${method}, and the client cannot be asked here`);
  }
  if (needed === null || !declares(bridge.clientCapabilities, needed)) {
    throw needsInput(
      bridge,
      `${method}, and the client has not declared ${needed?.join(".") ?? "a matching capability"}`,
    );
  }
  const answer = await client.request(method, isUrlMode ? withElicitationId(params!) : params, {
    signal,
    // 2026-07-28 has no progress from client to server.
    onProgress: () => {},
  });
  if (!answer.failed) return answer.text;
  const error: unknown = JSON.parse(answer.text);
  const words = isObject(error) && typeof error.message === "string" ? error.message : "no reason given";
  throw needsInput(bridge, `${method}, and the client refused: ${words}`);
}

/** Adds the elicitation id that older revisions require. Its completion is never reported. */
function withElicitationId(params: string): string {
  return memberText(params, "elicitationId") === undefined
    ? replaceMember(params, "elicitationId", JSON.stringify(crypto.randomUUID()))
    : params;
}

function capabilityFor(method: string, isUrlMode: boolean): readonly string[] | null {
  switch (method) {
    case "elicitation/create":
      return isUrlMode ? ["elicitation", "url"] : ["elicitation"];
    case "sampling/createMessage":
      return ["sampling"];
    case "roots/list":
      return ["roots"];
    default:
      return null;
  }
}

function declares(capabilities: string, path: readonly string[]): boolean {
  let value: unknown = JSON.parse(capabilities);
  for (const name of path) {
    if (!isObject(value)) return false;
    value = value[name];
  }
  return value !== undefined && value !== null && value !== false;
}

function needsInput({ upstream }: InputBridge, reason: string): SluiceError {
  return new SluiceError("UPSTREAM_NEEDS_INPUT", { upstream, reason });
}
