// A fake upstream that runs tasks: of 2025-11-25, or of the extension of 2026-07-28. Tasks are done when `finish` says so.
import {
  type FakeAnswer,
  FakeUpstream,
  LiveStream,
  type Received,
  refusal,
  result,
} from "./fake_upstream.ts";

const RELATED = "io.modelcontextprotocol/related-task";
const AT = "2026-01-01T00:00:00Z";
const TASKS = { list: {}, cancel: {}, requests: { tools: { call: {} } } };

export class TaskUpstream {
  readonly fake: FakeUpstream;
  /** By id. */
  readonly tasks = new Map<string, "working" | "completed" | "cancelled">();
  /** Tasks per page of tasks/list. */
  pageSize = 100;
  /** Open `subscriptions/listen` requests. */
  readonly listening: LiveStream[] = [];
  readonly #prefix: string;
  readonly #isStateless: boolean;

  /** @param prefix of all ids that it gives */
  constructor(prefix: string, revisions: "sessions" | "stateless" = "sessions") {
    this.#prefix = prefix;
    this.#isStateless = revisions === "stateless";
    this.fake = new FakeUpstream((request) => this.#serve(request));
    this.fake.revisions = revisions;
    this.fake.stateful = !this.#isStateless;
    this.fake.capabilities = this.#isStateless
      ? { tools: {}, extensions: { "io.modelcontextprotocol/tasks": {} } }
      : { tools: {}, tasks: TASKS };
  }

  /** The ids that it was asked about, in order. */
  get asked(): unknown[] {
    return this.fake.received.filter(({ method }) => /^tasks\/(get|result|cancel|update)$/.test(method))
      .map(({ params }) => (params as { taskId?: unknown }).taskId);
  }

  finish(): void {
    for (const id of this.tasks.keys()) this.tasks.set(id, "completed");
  }

  /** Tells whoever listens to the task what has become of it. */
  tellOf(taskId: string): void {
    for (const stream of this.listening) {
      const { notifications } = stream.request.params as { notifications: { taskIds?: string[] } };
      if (!notifications.taskIds?.includes(taskId)) continue;
      stream.send(listened(stream, "notifications/tasks", JSON.parse(this.#text(taskId))));
    }
  }

  #serve(request: Received) {
    const { method, id, params } = request;
    if (method === "subscriptions/listen") return this.#listen(request);
    const given = (params ?? {}) as { task?: unknown; taskId?: string; cursor?: string };
    const made = this.#isStateless || given.task !== undefined;
    if (method === "tools/call" && made) return result(id, this.#create());
    if (method === "tasks/list") return result(id, this.#list(Number(given.cursor ?? 0)));
    if (!method.startsWith("tasks/")) return undefined;
    const { taskId = "" } = given;
    if (!this.tasks.has(taskId)) return refusal(id, 200, { code: -32602, message: "Task not found" });
    if (method === "tasks/cancel") this.tasks.set(taskId, "cancelled");
    if (method === "tasks/result") {
      return result(
        id,
        `{"content":[],"taskId":"the tool's own","_meta":{"n":1.0,"${RELATED}":{"taskId":"${taskId}"}}}`,
      );
    }
    if (this.#isStateless && method !== "tasks/get") return result(id, '{"resultType":"complete"}');
    return result(id, this.#text(taskId));
  }

  #listen(request: Received): FakeAnswer {
    const stream = new LiveStream(request);
    this.listening.push(stream);
    const { notifications } = request.params as { notifications: unknown };
    stream.send(listened(stream, "notifications/subscriptions/acknowledged", { notifications }));
    return stream.answer;
  }

  #create(): string {
    const taskId = `${this.#prefix}-${this.tasks.size + 1}`;
    this.tasks.set(taskId, "working");
    return this.#isStateless
      ? `{"resultType":"task",${this.#text(taskId).slice(1)}`
      : `{"task":${this.#text(taskId)}}`;
  }

  #list(from: number): string {
    const all = [...this.tasks.keys()];
    const end = from + this.pageSize;
    const next = end < all.length ? `,"nextCursor":"${end}"` : "";
    return `{"tasks":[${all.slice(from, end).map((id) => this.#text(id)).join(" , ")}]${next}}`;
  }

  #text(taskId: string): string {
    const ttl = this.#isStateless ? "ttlMs" : "ttl";
    return `{ "taskId":"${taskId}","status":"${
      this.tasks.get(taskId)
    }","createdAt":"${AT}","lastUpdatedAt":"${AT}","${ttl}":60000.0 }`;
  }
}

/** A notification under the id of the request that listens. */
function listened({ request }: LiveStream, method: string, params: Record<string, unknown>): unknown {
  const meta = { "io.modelcontextprotocol/subscriptionId": request.id };
  return { jsonrpc: "2.0", method, params: { ...params, _meta: meta } };
}

/** What such an upstream has in its gateway's row. */
export function taskGateway({ fake }: TaskUpstream) {
  const { capabilities, revisions } = fake;
  return revisions === "stateless"
    ? { capabilities, protocolVersion: "2026-07-28", stateful: false }
    : { capabilities, protocolVersion: "2025-11-25" };
}
