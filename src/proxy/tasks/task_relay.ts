// Relays tasks in the messages between one client and its upstreams. An upstream's task has our id on the client's side. The
// client's own tasks keep their ids, and only the upstream that they run for may name them (2025-11-25, "Task Isolation and
// Access Control").
import type { AskOptions, ClientPeer, RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { ClientState, TaskBoundary } from "../../upstream/client/client_state.ts";
import type { TaskIds, TaskOwner, UpstreamTask } from "./task_ids.ts";
import {
  createdTaskIn,
  keepInList,
  mayNameTask,
  type Rename,
  renameInMessage,
  renameInMeta,
  taskIdIn,
  taskOfNotification,
} from "./task_text.ts";

/** Upstreams' requests about a task that the client runs. */
const ABOUT_ONE_TASK: ReadonlySet<string> = new Set(["tasks/get", "tasks/result", "tasks/cancel"]);

/** The error for an unknown task ("Protocol Errors"). */
const NO_SUCH_TASK: RpcAnswer = { text: '{"code":-32602,"message":"Task not found"}', failed: true };

export class TaskRelay implements TaskBoundary {
  readonly #ids: TaskIds;
  readonly #owner: TaskOwner;
  readonly #client: ClientState | undefined;

  /** @param client remembers its tasks; without it the client runs none */
  constructor(ids: TaskIds, owner: TaskOwner, client?: ClientState) {
    this.#ids = ids;
    this.#owner = owner;
    this.#client = client;
  }

  peerFor(gatewayId: string, peer: ClientPeer): ClientPeer {
    const seal: Rename = (taskId) => this.#ids.seal(this.#owner, { gatewayId, taskId });
    const sealed = (message: string) => mayNameTask(message) ? renameInMessage(message, seal) : message;
    return {
      notify: (text) => peer.notify(sealed(text)),
      ...(peer.expectDelay === undefined
        ? {}
        : { expectDelay: (retryMs: number | null) => peer.expectDelay!(retryMs) }),
      ...(peer.request === undefined ? {} : {
        request: (method, params, options) => this.#ask(gatewayId, peer, { method, params, options, seal }),
      }),
    };
  }

  addressee(notification: string) {
    const named = mayNameTask(notification) ? taskOfNotification(notification) : undefined;
    if (named === undefined) return undefined;
    const own = this.#client?.ownerOfTask(named);
    if (own !== undefined) return { upstreamId: own, text: notification };
    const task = this.#open(named);
    if (task === null) return null;
    return { upstreamId: task.gatewayId, text: renameInMessage(notification, () => task.taskId) };
  }

  async #ask(gatewayId: string, peer: ClientPeer, { method, params, options, seal }: {
    readonly method: string;
    readonly params: string | undefined;
    readonly options: AskOptions;
    readonly seal: Rename;
  }): Promise<RpcAnswer> {
    if (ABOUT_ONE_TASK.has(method) && !this.#runsFor(gatewayId, taskIdIn(params ?? "{}"))) {
      return NO_SUCH_TASK;
    }
    const unseal: Rename = (id) => {
      const task = this.#open(id);
      return task?.gatewayId === gatewayId ? task.taskId : id;
    };
    const unsealed = (message: string) => mayNameTask(message) ? renameInMessage(message, unseal) : message;
    const sealedParams = params !== undefined && mayNameTask(params) ? renameInMeta(params, seal) : params;
    const answer = await peer.request!(method, sealedParams, {
      ...options,
      onProgress: (text) => options.onProgress(unsealed(text)),
    });
    if (answer.failed) return answer;
    if (method === "tasks/list") {
      const text = keepInList(answer.text, (taskId) => this.#runsFor(gatewayId, taskId));
      return { text, failed: false };
    }
    if (!mayNameTask(answer.text)) return answer;
    const created = createdTaskIn(answer.text);
    if (created !== undefined) await this.#client?.addTask(created, gatewayId);
    return { text: renameInMeta(answer.text, unseal), failed: false };
  }

  #runsFor(gatewayId: string, taskId: string | undefined): boolean {
    return taskId !== undefined && this.#client?.ownerOfTask(taskId) === gatewayId;
  }

  #open(id: string): UpstreamTask | null {
    return this.#ids.open(this.#owner, id);
  }
}
