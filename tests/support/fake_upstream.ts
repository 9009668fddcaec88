// An MCP server as an HttpClient: it answers from a script, without a network, and remembers what it was sent.
import type { CancelSignal } from "../../src/base/cancellation.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../../src/upstream/http_client/http_client.ts";
import { HttpTransport } from "../../src/upstream/streamable_http/http_transport.ts";

export interface FakeAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text, or pieces as they come. */
  readonly body?: string | AsyncIterable<string>;
}

/** A request as the upstream sees it. */
export interface Received {
  readonly http: HttpRequest;
  /** From the body; of a DELETE it is "DELETE". */
  readonly method: string;
  readonly id: unknown;
  /** The parsed params. */
  readonly params: unknown;
  readonly sessionId: string | null;
}

const STATELESS = "2026-07-28";
const CLAIM = "io.modelcontextprotocol/protocolVersion";

export class FakeUpstream implements HttpClient {
  readonly received: Received[] = [];
  /** Does it give an Mcp-Session-Id? */
  stateful = true;
  protocolVersion = "2025-11-25";
  /** `stateless`: it speaks 2026-07-28 alone, and refuses all else as the revision has it. */
  revisions: "sessions" | "stateless" | "both" = "sessions";
  /** What it says of itself. */
  capabilities: Record<string, unknown> = { tools: {} };
  #sessions = 0;
  readonly #script: (request: Received) => FakeAnswer | undefined | Promise<FakeAnswer | undefined>;

  /** @param script may answer anything; what it leaves gets the answer of a well-behaved server, `{"ok":true}` for a call */
  constructor(
    script: (request: Received) => FakeAnswer | undefined | Promise<FakeAnswer | undefined> = () => undefined,
  ) {
    this.#script = script;
  }

  /** The methods of what came, in order. */
  get methods(): string[] {
    return this.received.map(({ method }) => method);
  }

  transport(headers: [string, string][] = [], maxResponseBytes = 10_000): HttpTransport {
    const target = { upstream: "fake", url: new URL("http://fake.example/mcp"), headers };
    return new HttpTransport({ client: this, target, maxResponseBytes });
  }

  async send(http: HttpRequest): Promise<HttpResponse> {
    if (http.signal?.aborted) throw http.signal.reason;
    const message = http.body === undefined ? {} : JSON.parse(http.body);
    const request: Received = {
      http,
      method: http.method === "DELETE" ? "DELETE" : message.method ?? "response",
      id: message.id,
      params: message.params,
      sessionId: headerOf(http, "mcp-session-id"),
    };
    this.received.push(request);
    const scripted = Promise.resolve(this.#script(request));
    const answer =
      await (http.signal === undefined ? scripted : Promise.race([scripted, aborted(http.signal)]));
    return new FakeResponse(answer ?? this.#behave(request));
  }

  close(): void {}

  #behave(request: Received): FakeAnswer {
    const claims = request.params as { _meta?: Record<string, unknown> } | undefined;
    const isStateless = this.revisions === "both"
      ? claims?._meta?.[CLAIM] !== undefined
      : this.revisions === "stateless";
    return isStateless ? this.#behaveStateless(request) : this.#behaveWithSessions(request);
  }

  #behaveStateless({ method, id, params, http }: Received): FakeAnswer {
    if (http.method !== "POST") return { status: 405 };
    if (method === "initialize") {
      return refusal(id, 400, {
        code: -32022,
        message: "Unsupported protocol version",
        data: { supported: [STATELESS] },
      });
    }
    const claimed = (params as { _meta?: Record<string, unknown> } | undefined)?._meta?.[CLAIM];
    if (claimed !== STATELESS) return refusal(id, 400, { code: -32602, message: "the claims are missing" });
    if (headerOf(http, "mcp-protocol-version") !== STATELESS || headerOf(http, "mcp-method") !== method) {
      return refusal(id, 400, { code: -32020, message: "headers and body differ" });
    }
    if (method !== "server/discover") return result(id, '{"resultType":"complete","ok":true}');
    const { capabilities } = this;
    const _meta = { "io.modelcontextprotocol/serverInfo": { name: "fake" } };
    return result(
      id,
      JSON.stringify({
        resultType: "complete",
        supportedVersions: [STATELESS],
        capabilities,
        ttlMs: 0,
        _meta,
      }),
    );
  }

  #behaveWithSessions({ method, id }: Received): FakeAnswer {
    if (method === "DELETE") return {};
    if (id === undefined || method === "response") return { status: 202 };
    if (method !== "initialize") return result(id, '{"ok":true}');
    const { protocolVersion, capabilities } = this;
    const answer = result(
      id,
      JSON.stringify({ protocolVersion, capabilities, serverInfo: { name: "fake" } }),
    );
    if (!this.stateful) return answer;
    return { ...answer, headers: { ...answer.headers, "mcp-session-id": `s${++this.#sessions}` } };
  }
}

/** A JSON answer around a result that is JSON text. */
export function result(id: unknown, text: string): FakeAnswer {
  return {
    headers: { "content-type": "application/json" },
    body: `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${text}}`,
  };
}

/** An HTTP failure with a JSON-RPC error in it. */
export function refusal(id: unknown, status: number, error: unknown): FakeAnswer {
  return {
    status,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id, error }),
  };
}

/** An event stream that stays open until `end`, or until its request is given up. */
export class LiveStream {
  readonly answer: FakeAnswer;
  readonly request: Received;
  isGivenUp = false;
  readonly #messages: string[] = [];
  #isOver = false;
  #wake: () => void = () => {};

  constructor(request: Received) {
    this.request = request;
    request.http.signal?.addEventListener("abort", () => {
      this.isGivenUp = true;
      this.#wake();
    }, { once: true });
    this.answer = { headers: { "content-type": "text/event-stream" }, body: this.#pieces() };
  }

  send(message: unknown): void {
    this.#messages.push(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *#pieces(): AsyncGenerator<string> {
    for (;;) {
      while (this.#messages.length > 0) yield this.#messages.shift()!;
      if (this.isGivenUp) throw this.request.http.signal!.reason;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

/** An answer as an event stream of these messages. */
export function events(...messages: string[]): FakeAnswer {
  return {
    headers: { "content-type": "text/event-stream" },
    body: messages.map((message) => `event: message\ndata: ${message}\n\n`).join(""),
  };
}

export function headerOf({ headers }: HttpRequest, name: string): string | null {
  return headers.find(([header]) => header === name)?.[1] ?? null;
}

function aborted(signal: CancelSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

class FakeResponse implements HttpResponse {
  readonly status: number;
  readonly #answer: FakeAnswer;

  constructor(answer: FakeAnswer) {
    this.#answer = answer;
    this.status = answer.status ?? 200;
  }

  header(name: string): string | null {
    return this.#answer.headers?.[name] ?? null;
  }

  async text(_maxBytes: number): Promise<string> {
    let text = "";
    for await (const piece of this.#pieces()) text += piece;
    return text;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for await (const piece of this.#pieces()) yield new TextEncoder().encode(piece);
  }

  discard(): void {}

  async *#pieces(): AsyncGenerator<string> {
    const { body = "" } = this.#answer;
    if (typeof body === "string") yield body;
    else yield* body;
  }
}
