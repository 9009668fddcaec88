// The `requestState` of an upstream passes through as it is (2026-07-28, "Multi Round-Trip Requests"), but for one that looks like
// our own, as a gateway behind this one gives it: that goes to the client under a mark, and comes back as the upstream's.
import { isObject, memberText, replaceMember, type RequestMessage } from "../mcp/json_rpc.ts";
import type { RpcAnswer } from "../upstream/client_peer.ts";
import { OWN_STATE } from "./parked_calls.ts";

const MARK = "~";

/** An upstream's answer as the client gets it. */
export function withMarkedState(answer: RpcAnswer): RpcAnswer {
  const { text, failed } = answer;
  if (failed || !text.includes(OWN_STATE)) return answer;
  if (memberText(text, "resultType") !== '"input_required"') return answer;
  const state: unknown = JSON.parse(memberText(text, "requestState") ?? "null");
  if (!mayBeMarked(state, 0)) return answer;
  return { text: replaceMember(text, "requestState", JSON.stringify(MARK + state)), failed };
}

/** A client's request as the upstream gets it. */
export function withoutMark(message: RequestMessage): RequestMessage {
  const { params, text } = message;
  const state = isObject(params) ? params.requestState : undefined;
  if (!isObject(params) || !mayBeMarked(state, 1)) return message;
  const requestState = state.slice(MARK.length);
  const paramsText = replaceMember(memberText(text, "params")!, "requestState", JSON.stringify(requestState));
  return { ...message, params: { ...params, requestState }, text: replaceMember(text, "params", paramsText) };
}

/** Is it a state of a gateway's own, under at least so many marks? Each gateway on the way adds one. */
function mayBeMarked(state: unknown, marks: number): state is string {
  if (typeof state !== "string" || !state.startsWith(MARK.repeat(marks))) return false;
  return state.replace(/^~+/, "").startsWith(OWN_STATE);
}
