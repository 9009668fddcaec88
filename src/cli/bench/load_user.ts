// A user of the load: its connection, its session, and one request at a time.
import { isError, reasonOf, SluiceError } from "../../base/errors.ts";
import type { Linked } from "../../base/linked_list.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import { isSessionRevision } from "../../mcp/revisions.ts";
import { SseDecoder } from "../../mcp/sse.ts";
import type { HttpResponse } from "../../upstream/http_client/http_client.ts";
import type { Headers } from "../../upstream/http1/request_head.ts";
import type { Outcome } from "./measurement.ts";
import type { Plan } from "./load_plan.ts";
import { type ConnectionSource, UserConnection } from "./user_connection.ts";
import {
  type Answer,
  checkAnswer,
  INITIALIZED,
  initializeForm,
  isStateless,
  listenForm,
  type RequestForm,
  userHeaders,
} from "./wire.ts";

/** A session that `initialize` has opened; `id` is null if the server keeps none. */
export interface Session {
  readonly id: string | null;
  readonly revision: string;
}

export interface Answered {
  readonly outcome: Outcome;
  /** When the answer was there, `performance.now()`. */
  readonly at: number;
  readonly answer?: Answer;
  /** The server does not know the session any more. */
  readonly isSessionLost?: boolean;
}

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_EVENT_CHARS = 64 * 1024 * 1024;
/** The pause before an event stream that ended is opened again, ms. */
const REOPEN_MS = 1_000;

/** The id of the next request. Users that share a session share it, because ids must differ within a session. */
export interface RequestIds {
  next: number;
}

export class User implements Linked<User> {
  previous: User | undefined = undefined;
  next: User | undefined = undefined;
  /** null: no session was opened. Users may share one. */
  session: Session | null = null;
  /** Requests since the session was opened. */
  sent = 0;
  readonly #plan: Plan;
  readonly #source: ConnectionSource;
  readonly #headers: Headers;
  readonly #connection: UserConnection;
  #stream: UserConnection | undefined;
  readonly #ids: RequestIds;
  #isClosed = false;
  /** The session is another user's. */
  #isShared = false;
  /** Encoded heads by form, of the present session. */
  #heads = new Map<RequestForm, Uint8Array>();

  constructor(plan: Plan, source: ConnectionSource, ids: RequestIds, token: string | null) {
    this.#ids = ids;
    this.#plan = plan;
    this.#source = source;
    this.#headers = userHeaders(plan, token);
    this.#connection = new UserConnection(source);
  }

  /** Connects. @throws {SluiceError} see `ConnectionSource.open` */
  async connect(): Promise<void> {
    await this.#connection.ready();
  }

  /** Opens a session, if the protocol has any, in place of the present one. */
  async openSession(): Promise<Answered> {
    await this.#endSession();
    const opened = await this.#ask(initializeForm(this.#plan.protocol), (response, { result }) => {
      const revision = isObject(result) && isSessionRevision(result.protocolVersion)
        ? result.protocolVersion
        : this.#plan.protocol;
      this.#join({ id: response.header("mcp-session-id"), revision });
    });
    if (opened.outcome.kind === "right") await this.#notify(INITIALIZED);
    return opened;
  }

  /** Uses the session of another user. */
  share(session: Session | null): void {
    this.#isShared = true;
    this.#join(session);
  }

  async request(form: RequestForm): Promise<Answered> {
    this.sent++;
    return await this.#ask(form);
  }

  /** Keeps an event stream open until `close`, and opens it again where it ends. */
  async listen(onEvent: () => void, onFault: (what: string) => void): Promise<void> {
    while (!this.#isClosed) {
      this.#stream = new UserConnection(this.#source);
      const session = this.session;
      const fault = await this.#readStream(this.#stream, onEvent).catch(faultOf);
      this.#stream.close();
      if (this.#isClosed) return;
      // A stream ends with its session.
      if (this.session === session) onFault(`event stream: ${fault}`);
      await new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, REOPEN_MS) as unknown as number));
    }
  }

  /** Ends the session. */
  async leave(): Promise<void> {
    this.#isClosed = true;
    this.#stream?.close();
    await this.#endSession();
  }

  close(): void {
    this.#isClosed = true;
    this.#stream?.close();
    this.#connection.close();
  }

  #join(session: Session | null): void {
    this.session = session;
    this.sent = 0;
    this.#heads = new Map();
  }

  async #ask(form: RequestForm, take?: (response: HttpResponse, answer: Answer) => void): Promise<Answered> {
    const id = this.#ids.next++;
    try {
      const response = await this.#connection.send({
        method: "POST",
        head: this.#head(form),
        body: form.body(id),
      });
      const { text, at } = await this.#read(response, id);
      const answer = checkAnswer(text, response.status, id, form.method, this.#plan.expect);
      if (answer.fault !== null) {
        const isSessionLost = response.status === 404 && this.session?.id !== undefined;
        return { outcome: { kind: "wrong", what: answer.fault }, at, answer, isSessionLost };
      }
      take?.(response, answer);
      return { outcome: RIGHT, at, answer };
    } catch (error) {
      const kind = isError(error, "UPSTREAM_TIMEOUT") ? "waiting" : "wrong";
      return { outcome: { kind, what: faultOf(error) }, at: performance.now() };
    }
  }

  /** The text of the answer, and when it was there. Other messages of its event stream are passed over. */
  async #read(response: HttpResponse, id: number): Promise<{ readonly text: string; readonly at: number }> {
    if (!isEventStream(response)) {
      const text = await response.text(MAX_ANSWER_BYTES);
      return { text, at: performance.now() };
    }
    const decoder = new SseDecoder(MAX_EVENT_CHARS);
    let found: { readonly text: string; readonly at: number } | undefined;
    try {
      for await (const chunk of response.chunks()) {
        for (const { data } of decoder.push(chunk)) {
          if (found !== undefined || !isAnswer(data, id)) continue;
          found = { text: data, at: performance.now() };
          this.#connection.answered();
        }
      }
    } catch (error) {
      if (found === undefined) throw error;
    }
    return found ?? { text: "", at: performance.now() };
  }

  async #readStream(connection: UserConnection, onEvent: () => void): Promise<string> {
    const { protocol } = this.#plan;
    const form = listenForm(protocol);
    const response = isStateless(protocol)
      ? await connection.send(
        { method: "POST", head: this.#head(form), body: form.body(this.#ids.next++) },
        Infinity,
      )
      : await connection.send({ method: "GET", head: this.#encode("GET", []) }, Infinity);
    if (response.status !== 200 || !isEventStream(response)) return `HTTP ${response.status}`;
    const decoder = new SseDecoder(MAX_EVENT_CHARS);
    for await (const chunk of response.chunks()) for (const _ of decoder.push(chunk)) onEvent();
    return "the server ended it";
  }

  async #notify(body: string): Promise<void> {
    try {
      const response = await this.#connection.send({ method: "POST", head: this.#encode("POST", []), body });
      await response.text(MAX_ANSWER_BYTES);
    } catch {
      // The next request tells whether the session is of use.
    }
  }

  async #endSession(): Promise<void> {
    if (this.session?.id == null) return;
    const head = this.#encode("DELETE", []);
    this.#join(null);
    if (this.#isShared) return;
    try {
      await (await this.#connection.send({ method: "DELETE", head })).text(MAX_ANSWER_BYTES);
    } catch {
      // The server ends it in time.
    }
  }

  #head(form: RequestForm): Uint8Array {
    let head = this.#heads.get(form);
    if (head === undefined) this.#heads.set(form, head = this.#encode("POST", form.headers));
    return head;
  }

  #encode(method: "GET" | "POST" | "DELETE", more: Headers): Uint8Array {
    const session: Headers = this.session === null ? [] : [
      ...(this.session.id === null ? [] : [["mcp-session-id", this.session.id] as const]),
      ["mcp-protocol-version", this.session.revision],
    ];
    const own = method === "GET"
      ? this.#headers.map(([name, value]) => [name, name === "accept" ? "text/event-stream" : value] as const)
      : this.#headers;
    return this.#source.encode(method, [...own, ...session, ...more]);
  }
}

const RIGHT: Outcome = { kind: "right" };

function isEventStream(response: HttpResponse): boolean {
  return response.header("content-type")?.startsWith("text/event-stream") ?? false;
}

/** A request of the server may have the same id. */
function isAnswer(text: string, id: number): boolean {
  try {
    const message: unknown = JSON.parse(text);
    return isObject(message) && message.method === undefined && (message.id === id || message.id == null);
  } catch {
    return false;
  }
}

/** The words of a failed exchange; the same for equal failures. */
function faultOf(error: unknown): string {
  if (!(error instanceof SluiceError)) return reasonOf(error);
  const { reason } = error.params;
  switch (error.code) {
    case "UPSTREAM_CONNECT_FAILED":
      return `cannot connect: ${reason}`;
    case "UPSTREAM_TLS_FAILED":
      return `TLS: ${reason}`;
    case "UPSTREAM_TIMEOUT":
      return "no answer in time (--timeout)";
    case "UPSTREAM_CLOSED":
      return "the connection was closed before the answer";
    case "UPSTREAM_PROTOCOL_ERROR":
      return `HTTP is broken: ${reason}`;
    default:
      return reasonOf(error);
  }
}
