// The ids under which clients know the tasks of upstreams: each names its upstream and is good for one caller at one endpoint.
import type { Principal } from "../../auth/principal.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import type { CallContext } from "../call/call_context.ts";
import { Seal } from "../call/seal.ts";

/** Who a task was made for; another caller, or the same one elsewhere, cannot use its id. */
export interface TaskOwner extends Pick<Principal, "issuer" | "subject"> {
  /** The virtual server; null: everything. */
  readonly serverId: string | null;
  /** A task of 2025-11-25 and one of the extension have different shapes. */
  readonly isSessionless: boolean;
}

/** A task as its upstream knows it. */
export interface UpstreamTask {
  readonly gatewayId: string;
  readonly taskId: string;
}

export class TaskIds {
  readonly #seal: Seal;

  /** @param secret the deployment's */
  constructor(secret: string) {
    this.#seal = new Seal(secret, "task id");
  }

  /** One task has one id. */
  seal(owner: TaskOwner, { gatewayId, taskId }: UpstreamTask): string {
    return this.#seal.seal(contextOf(owner), JSON.stringify([gatewayId, taskId]));
  }

  /** The task, or null where the id is not ours or another's. */
  open(owner: TaskOwner, id: string): UpstreamTask | null {
    const text = this.#seal.open(contextOf(owner), id);
    if (text === null) return null;
    const [gatewayId, taskId] = JSON.parse(text);
    return { gatewayId, taskId };
  }
}

/** Who a task that this call makes belongs to. */
export function taskOwnerOf({ principal, scope, revision }: CallContext): TaskOwner {
  const { issuer, subject } = principal;
  return {
    issuer,
    subject,
    serverId: scope.server?.id ?? null,
    isSessionless: revision === STATELESS_REVISION,
  };
}

function contextOf({ issuer, subject, serverId, isSessionless }: TaskOwner): string {
  return JSON.stringify([issuer, subject, serverId, isSessionless]);
}
