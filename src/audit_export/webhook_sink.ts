// Posts records to an HTTP server, signed as Standard Webhooks says (https://www.standardwebhooks.com: headers webhook-id,
// webhook-timestamp and webhook-signature).
import { createHmac } from "node:crypto";
import { Buffer } from "node:buffer";
import { type CancelSignal, unlessAborted } from "../base/cancellation.ts";
import type { Clock } from "../base/clock.ts";
import { exportText } from "../store/audit/audit_record.ts";
import type { HttpClient } from "../upstream/http_client/http_client.ts";
import { type AuditSink, SEND_TIMEOUT_MS } from "./audit_sink.ts";

const AT_ONCE = 100;

/** The form of secrets that Standard Webhooks recommends: base64 behind a prefix. Other secrets are used as they are. */
const ENCODED = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

export interface WebhookSinkDeps {
  readonly url: URL;
  /** AUDIT_WEBHOOK_SECRET */
  readonly secret: string;
  readonly client: Pick<HttpClient, "send">;
  /** The egress check. The client checks the address of the connection once more. @throws {SluiceError} EGRESS_DENIED */
  readonly check: (url: URL) => Promise<void>;
  readonly clock: Clock;
}

export function webhookSink({ url, secret, client, check, clock }: WebhookSinkDeps): AuditSink {
  const post = async (body: string, id: string, signal: CancelSignal) => {
    await check(url);
    const timestamp = Math.floor(clock.now() / 1_000);
    const headers = [
      ["content-type", "application/json"],
      ["webhook-id", id],
      ["webhook-timestamp", String(timestamp)],
      ["webhook-signature", webhookSignature(secret, id, timestamp, body)],
    ] as const;
    const response = await client.send({
      ...{ method: "POST", url, headers, body, signal, upstream: url.host },
      readTimeoutMs: SEND_TIMEOUT_MS,
    });
    response.discard();
    const { status } = response;
    if (status < 200 || status > 299) {
      throw new Error(`${url.host} answered HTTP ${status}; only 2xx is taken`);
    }
  };
  return {
    name: "webhook",
    atOnce: AT_ONCE,
    send: async (records, signal) => {
      const [first, last] = [records[0], records.at(-1)!];
      const body = `{"type":"audit.records","timestamp":"${new Date(clock.now()).toISOString()}",` +
        `"data":{"records":[${records.map(exportText).join(",")}]}}`;
      // The same for each try, so that a receiver can tell that it has the records already.
      const id = `audit_${first.sequence}_${last.sequence}_${last.hash.slice(0, 16)}`;
      await unlessAborted(post(body, id, signal), signal);
    },
    close: () => {},
  };
}

/** @param timestamp seconds since the epoch */
export function webhookSignature(secret: string, id: string, timestamp: number, body: string): string {
  const encoded = ENCODED.exec(secret)?.[1];
  const key = encoded === undefined ? Buffer.from(secret) : Buffer.from(encoded, "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}
