// An event stream of the gateway, and the messages that came on it.
import { assertEquals } from "@std/assert";
import type { Gateway } from "./gateway.ts";

// deno-lint-ignore no-explicit-any -- messages of every shape; tests assert what they read.
type AnyMessage = any;

export class EventStreamClient implements AsyncDisposable {
  readonly messages: AnyMessage[] = [];
  isOpen = true;
  /** Resolves when either side has ended the stream. */
  readonly ended: Promise<void>;
  readonly #stop: AbortController;

  private constructor(response: Response, stop: AbortController) {
    this.#stop = stop;
    this.ended = this.#read(response).catch(() => {}).finally(() => this.isOpen = false);
  }

  /** Sends a request that is answered by an event stream. */
  static async open(
    gateway: Pick<Gateway, "url">,
    path: string,
    { headers, ...init }: Omit<RequestInit, "headers"> & { headers: Readonly<Record<string, string>> },
  ): Promise<EventStreamClient> {
    const stop = new AbortController();
    const response = await fetch(gateway.url + path, {
      ...init,
      headers: { accept: "application/json, text/event-stream", ...headers },
      signal: stop.signal,
    });
    assertEquals([response.status, response.headers.get("content-type")], [200, "text/event-stream"]);
    return new EventStreamClient(response, stop);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.ended;
  }

  async #read(response: Response): Promise<void> {
    let rest = "";
    for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
      const events = (rest + text).split("\n\n");
      rest = events.pop()!;
      for (const event of events) {
        const data = [...event.matchAll(/^data: ?(.*)$/gm)].map(([, line]) => line).join("\n");
        if (data !== "") this.messages.push(JSON.parse(data));
      }
    }
  }
}
