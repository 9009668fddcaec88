// Messages of a client besides its requests. This folder holds what all transports of clients have in common.
//
// This file takes responses, cancellations, progress, and notifications for upstreams.
import { isError, SluiceError } from "../../base/errors.ts";
import { isObject, memberText, type Message, type RequestMessage } from "../../mcp/json_rpc.ts";
import { type EndpointRevisions, negotiated } from "../../catalog/snapshot/endpoint_revisions.ts";
import { clientDescription } from "../../proxy/methods/lifecycle.ts";
import type { BoundSessions } from "../../upstream/bound/bound_sessions.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";
import type { ClientQuestions } from "./client_questions.ts";
import type { PersistedSession } from "./persisted_session.ts";
import type { RunningCalls } from "./running_calls.ts";

const CANCELLED = "notifications/cancelled";

/** The state of a client that its messages act on. */
export interface ClientSide {
  readonly bound: BoundSessions;
  /** Requests of upstreams to the client. */
  readonly questions: ClientQuestions;
  readonly calls: RunningCalls;
}

/**
 * Takes a notification or response of the client. Unknown ones are accepted and ignored.
 * @returns false if it is about a call or question that is not under way here; settles when upstreams have been notified
 */
export async function receive(
  client: ClientSide,
  message: Exclude<Message, RequestMessage>,
  upstreams: Pick<Upstreams, "notify">,
): Promise<boolean> {
  const isOurs = take(client, message);
  if (isOurs === null) await upstreams.notify(client.bound, message.text);
  return isOurs ?? true;
}

/** The synchronous part of `receive()`. @returns null for a notification to upstreams */
export function take(
  { questions, calls }: Omit<ClientSide, "bound">,
  message: Exclude<Message, RequestMessage>,
): boolean | null {
  if (message.kind === "response") return questions.answer(message);
  switch (message.method) {
    case CANCELLED: {
      const call = calls.find(cancelledId(message));
      call?.cancel(new SluiceError("REQUEST_CANCELLED"));
      return call !== undefined;
    }
    case "notifications/progress":
      return questions.progress(message);
    case "notifications/initialized":
      return true;
    default:
      return null;
  }
}

/** The key of the request that a message cancels; null: it is no cancellation. */
export function cancelledKey(message: Message): string | null {
  if (message.kind !== "notification" || message.method !== CANCELLED) return null;
  return callKey(cancelledId(message));
}

function cancelledId({ params }: Extract<Message, { kind: "notification" }>): unknown {
  return isObject(params) ? params.requestId : undefined;
}

/** Does the body of a POST begin a session? Some clients repeat the id of an ended session there. */
export function opensSession(body: string): boolean {
  return body.includes('"initialize"') && memberText(body, "method") === '"initialize"';
}

/** The client that an `initialize` describes; null if the description is invalid. */
export function clientOf(message: RequestMessage, revisions: EndpointRevisions): PersistedSession | null {
  try {
    const { protocolVersion, clientInfo, capabilities } = clientDescription(message);
    const revision = negotiated(revisions, protocolVersion);
    return revision === null ? null : { revision, clientInfo, clientCapabilities: capabilities };
  } catch (error) {
    if (isError(error, "INVALID_PARAMS")) return null;
    throw error;
  }
}

/** A request's id as a key: 1 and "1" are two ids. */
export function callKey(id: unknown): string {
  return JSON.stringify(id);
}
