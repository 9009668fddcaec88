// Room `tasks`: the boundary that keeps tasks of different upstreams and clients apart. Handlers use `TaskIds`, sessions
// `TaskRelay`.
// This file makes the task ids for clients. Each names its upstream and is valid for one caller at one endpoint.
import type { Principal } from "../../auth/principal.ts";
import { reachKey } from "../../auth/token_reach.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import type { CallContext } from "../call/call_context.ts";
import { Seal } from "../call/seal.ts";

/** The owner of a task. Other callers, and other endpoints, cannot use the task's id. */
export interface TaskOwner extends Pick<Principal, "issuer" | "subject"> {
  /** The limits of the tokens that may use the task; see `reachKey()`. */
  readonly reach: string;
  /** The virtual server; null: the whole catalog. */
  readonly serverId: string | null;
  /** Tasks of 2025-11-25 and of the extension have different shapes. */
  readonly isSessionless: boolean;
}

/** A task with its upstream and the upstream's id. */
export interface UpstreamTask {
  readonly gatewayId: string;
  readonly taskId: string;
}

export class TaskIds {
  readonly #seal: Seal;

  /** @param secret of the deployment */
  constructor(secret: string) {
    this.#seal = new Seal(secret, "task id");
  }

  /** Returns the client's id of a task, which is always the same. */
  seal(owner: TaskOwner, { gatewayId, taskId }: UpstreamTask): string {
    return this.#seal.seal(contextOf(owner), JSON.stringify([gatewayId, taskId]));
  }

  /** Returns the task; null: the id is not ours or belongs to another owner. */
  open(owner: TaskOwner, id: string): UpstreamTask | null {
    const text = this.#seal.open(contextOf(owner), id);
    if (text === null) return null;
    const [gatewayId, taskId] = JSON.parse(text);
    return { gatewayId, taskId };
  }
}

/** The owner of tasks that this call creates. */
export function taskOwnerOf({ principal, scope, revision }: CallContext): TaskOwner {
  const { issuer, subject } = principal;
  return {
    issuer,
    subject,
    reach: reachKey(principal),
    serverId: scope.server?.id ?? null,
    isSessionless: revision === STATELESS_REVISION,
  };
}

function contextOf({ issuer, subject, reach, serverId, isSessionless }: TaskOwner): string {
  return JSON.stringify([issuer, subject, reach, serverId, isSessionless]);
}
