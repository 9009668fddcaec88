// Keeps a `subscriptions/listen` request open (2026-07-28, "Subscriptions"). The acknowledgement comes first, then
// notifications, until either side ends it.
import { SluiceError } from "../../base/errors.ts";
import { isObject, type JsonObject, memberText, removeMember, replaceMember } from "../../mcp/json_rpc.ts";
import { META } from "../../mcp/revisions.ts";
import type { Subscription } from "./upstream_channel.ts";
import type { OnMessage, Reply } from "../transport/transport.ts";
import { isRefusal } from "../resilience/failures.ts";
import { keepStreamOpen, type StreamEnd } from "../transport/stream_reopening.ts";

interface Listening {
  /** For error texts. */
  readonly upstream: string;
  /** Sends the request; resolves with the response that ends it. */
  readonly open: (take: OnMessage) => Promise<Reply>;
  readonly onMessage: (text: string) => void;
  readonly signal: AbortSignal;
}

const ACKNOWLEDGED = "notifications/subscriptions/acknowledged";

/** Subscribes, and reopens a lost stream. Notifications are delivered without the upstream's subscription id. */
export function openSubscription({ upstream, open, onMessage, signal }: Listening): Subscription {
  const opened = Promise.withResolvers<void>();
  // Callers that only want messages do not await `opened`.
  opened.promise.catch(() => {});
  const listen = async (): Promise<StreamEnd> => {
    let isAcknowledged = false;
    let hasDelivered = false;
    try {
      const reply = await open((value, text) => {
        if (value.method === ACKNOWLEDGED) {
          isAcknowledged = true;
          opened.resolve();
        } else if (value.id === undefined && !signal.aborted) {
          hasDelivered = true;
          onMessage(withoutSubscriptionId(value, text));
        }
      });
      if (!("result" in reply.value)) {
        opened.reject(rejected(upstream, reply.value));
        return { outcome: "refused" };
      }
      // The server ended the subscription, for example before a restart.
      return { outcome: isAcknowledged ? "ended" : "failed", hasDelivered };
    } catch (error) {
      if (!isAcknowledged) opened.reject(error);
      return { outcome: isRefusal(error) ? "refused" : isAcknowledged ? "ended" : "failed", hasDelivered };
    }
  };
  const ended = keepStreamOpen(listen, signal).then(() => opened.reject(signal.reason));
  return { opened: opened.promise, ended };
}

function rejected(upstream: string, { error }: JsonObject): SluiceError {
  const reason = isObject(error) && typeof error.message === "string" ? error.message : "no reason given";
  return new SluiceError("UPSTREAM_REJECTED", { upstream, method: "subscriptions/listen", reason });
}

function withoutSubscriptionId({ params }: JsonObject, text: string): string {
  if (!isObject(params) || !isObject(params._meta)) return text;
  const paramsText = memberText(text, "params")!;
  const meta = removeMember(memberText(paramsText, "_meta")!, META.subscriptionId);
  const rest = meta === "{}" ? removeMember(paramsText, "_meta") : replaceMember(paramsText, "_meta", meta);
  return replaceMember(text, "params", rest);
}
