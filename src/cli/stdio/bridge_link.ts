// What the parts of a bridge share: the gateway, and the client on standard input and output.
import { type Clock, sleep } from "../../base/clock.ts";
import { errorText, idText, type RequestMessage } from "../../mcp/json_rpc.ts";
import { connectRefusal, Refusal } from "./gateway_fault.ts";
import type { GatewayLink } from "./gateway_link.ts";

export interface BridgeLink {
  readonly gateway: GatewayLink;
  readonly clock: Clock;
  /** Sends a message to the client, as JSON text. */
  readonly deliver: (text: string) => void;
  /** Tells the operator why the gateway refuses. */
  readonly report: (refusal: Refusal) => void;
  /** Aborted when the bridge ends. */
  readonly ending: AbortSignal;
}

/** Both types of response are read. */
export const POST_HEADERS = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
} as const;

/** Pause before a broken stream is opened again if the gateway named none. */
export const REOPEN_MS = 1_000;

/** Pause after the gateway has refused a stream. */
export const REFUSED_MS = 5_000;

/** Answers requests with the gateway's refusal. */
export function failRequests(
  { gateway, deliver, report }: BridgeLink,
  requests: readonly RequestMessage[],
  error: unknown,
): void {
  const refusal = error instanceof Refusal ? error : connectRefusal(error, gateway.origin);
  report(refusal);
  for (const request of requests) deliver(errorText(idText(request), refusal.errorText));
}

/** Waits, and returns early without an error where the bridge or the request ends. */
export async function pause({ clock }: BridgeLink, ms: number, signal: AbortSignal): Promise<void> {
  await sleep(clock, ms, signal).catch(() => {});
}
