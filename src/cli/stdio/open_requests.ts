// The requests of a client that have no response yet, as seen by a bridge between client and gateway.
import { isObject } from "../../mcp/json_rpc.ts";

/** A subscription ends with a notification; nobody waits for its response. */
export const LISTEN = "subscriptions/listen";

export class OpenRequests {
  readonly #ids = new Set<string>();
  #onNone: () => void = () => {};

  /** Takes a message from the client. */
  said(text: string): void {
    for (const { method, id, params } of messagesIn(text)) {
      if (method === "notifications/cancelled" && isObject(params)) this.#settled(params.requestId);
      else if (typeof method === "string" && method !== LISTEN && id !== undefined) {
        this.#ids.add(JSON.stringify(id));
      }
    }
  }

  /** Takes a message to the client. */
  heard(text: string): void {
    for (const { method, id } of messagesIn(text)) if (method === undefined) this.#settled(id);
  }

  has(id: unknown): boolean {
    return this.#ids.has(JSON.stringify(id));
  }

  /** Resolves when no request is open. */
  none(): Promise<void> {
    return new Promise((resolve) => {
      this.#onNone = resolve;
      if (this.#ids.size === 0) resolve();
    });
  }

  #settled(id: unknown): void {
    this.#ids.delete(JSON.stringify(id));
    if (this.#ids.size === 0) this.#onNone();
  }
}

function messagesIn(text: string) {
  try {
    return [JSON.parse(text)].flat().filter(isObject);
  } catch {
    // The gateway reports the fault to the client.
    return [];
  }
}
