// A client of revision 2026-07-28 on a WebSocket: no SDK has that transport for it.
import { claimsOf } from "./sessionless_parts.ts";
import { waitFor } from "./wait_for.ts";

// deno-lint-ignore no-explicit-any -- messages of every shape; tests assert what they read.
type AnyMessage = any;

export interface AskOptions {
  /** Default: a new number. */
  readonly id?: string | number;
  readonly capabilities?: unknown;
  /** Further members of `_meta`. */
  readonly meta?: Record<string, unknown>;
}

export class SessionlessSocket implements AsyncDisposable {
  /** What has come, in order. */
  readonly messages: AnyMessage[] = [];
  /** The code that the gateway, or we, have closed with. */
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.messages.push(JSON.parse(data));
    this.closed = new Promise((resolve) => socket.onclose = ({ code }) => resolve(code));
  }

  /** @param url of the gateway. @throws {Error} where it does not let us in */
  static async connect(url: string, token: string, path = "/ws"): Promise<SessionlessSocket> {
    const headers = { authorization: `Bearer ${token}` };
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}${path}`, { protocols: ["mcp"], headers });
    const client = new SessionlessSocket(socket);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = (event) =>
        reject(new Error(event instanceof ErrorEvent ? event.message : "no socket"));
    });
    socket.onerror = null;
    return client;
  }

  send(message: unknown): void {
    this.#socket.send(JSON.stringify(message));
  }

  /** Send a request. @returns its id */
  request(
    method: string,
    params: Record<string, unknown> = {},
    { id = this.#nextId++, capabilities, meta = {} }: AskOptions = {},
  ): string | number {
    this.send({
      jsonrpc: "2.0",
      id,
      method,
      params: { ...params, _meta: { ...claimsOf(capabilities), ...meta } },
    });
    return id;
  }

  /** The response to a request. @throws {Error} where none comes in time */
  answerTo(id: string | number): Promise<AnyMessage> {
    const isAnswer = (message: AnyMessage) => message.id === id && message.method === undefined;
    return waitFor(() => this.messages.find(isAnswer), { what: `the answer to ${id}` });
  }

  /** Send a request, and wait for its response. */
  ask(method: string, params?: Record<string, unknown>, options?: AskOptions): Promise<AnyMessage> {
    return this.answerTo(this.request(method, params, options));
  }

  cancel(requestId: string | number): void {
    this.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } });
  }

  /** Send a `subscriptions/listen`. @returns its id, once it is acknowledged */
  async listen(notifications: Record<string, unknown>, id?: string | number): Promise<string | number> {
    const asked = this.request("subscriptions/listen", { notifications }, { id });
    await waitFor(() => this.heard(asked).length > 0, { what: "the acknowledgement" });
    return asked;
  }

  /** The methods of what came for a listener, in order. */
  heard(id: string | number): string[] {
    const key = "io.modelcontextprotocol/subscriptionId";
    return this.messages.filter(({ params }) => params?._meta?.[key] === id).map(({ method }) => method);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(1000);
    await this.closed;
  }
}
