// Short questions to gateways that run: this folder's, and its replicas.
import { existsSync } from "node:fs";
import { reasonOf } from "../../../base/errors.ts";
import type { Config } from "../../../config/schema.ts";
import { secretsFile } from "../../../store/secrets.ts";
import { createHttp1Client } from "../../../upstream/http_client/configured_client.ts";
import type { HttpClient } from "../../../upstream/http_client/http_client.ts";

const TIMEOUT_MS = 5_000;
const MAX_HEAD_BYTES = 65_536;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** An answer; or why there is none. */
export type Asked =
  | {
    readonly status: number;
    readonly text: string;
    /** How far the clock there is ahead, to a second; null: it does not say. */
    readonly clockAheadMs: number | null;
  }
  | { readonly reason: string };

/** The address of a gateway is the operator's own, so that no proxy and no check of outbound addresses is in between. */
export class GatewayQuestions {
  readonly #client: HttpClient;

  constructor(config: Config, private readonly token: string | null) {
    this.#client = createHttp1Client(config, { maxHeadBytes: MAX_HEAD_BYTES, checkAddress: () => {} });
  }

  async ask(url: string): Promise<Asked> {
    const asked = Date.now();
    try {
      const response = await this.#client.send({
        method: "GET",
        url: new URL(url),
        headers: this.token === null ? [] : [["authorization", `Bearer ${this.token}`]],
        upstream: "the gateway",
        readTimeoutMs: TIMEOUT_MS,
      });
      const text = await response.text(MAX_ANSWER_BYTES);
      const date = Date.parse(response.header("date") ?? "");
      return {
        status: response.status,
        text,
        clockAheadMs: Number.isNaN(date) ? null : date + 500 - (asked + Date.now()) / 2,
      };
    } catch (error) {
      return { reason: reasonOf(error) };
    }
  }

  close(): void {
    this.#client.close();
  }
}

/** Reading the secrets closes a file that is open to others, and this command changes nothing: such a file is left alone. */
export function isSecretsFileOpen({ databaseUrl }: Config): boolean {
  const path = secretsFile(databaseUrl);
  return path !== null && existsSync(path) && ((Deno.statSync(path).mode ?? 0) & 0o077) !== 0;
}
