// Which requests of a client on standard input wait for their answer still, as far as somebody between the two can see.
import { isObject } from "../../mcp/json_rpc.ts";

/** Ends by a notification, and is not waited for. */
const LISTENS = "subscriptions/listen";

export class OpenRequests {
  readonly #ids = new Set<string>();
  #onNone: () => void = () => {};

  /** The client says this. */
  said(text: string): void {
    for (const { method, id, params } of messagesIn(text)) {
      if (method === "notifications/cancelled" && isObject(params)) this.#settled(params.requestId);
      else if (typeof method === "string" && method !== LISTENS && id !== undefined) {
        this.#ids.add(JSON.stringify(id));
      }
    }
  }

  /** The client is told this. */
  heard(text: string): void {
    for (const { method, id } of messagesIn(text)) if (method === undefined) this.#settled(id);
  }

  /** Resolves when there is none. */
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
    // The gateway says so.
    return [];
  }
}
