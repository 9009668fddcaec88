// tasks/list: merges the lists of all upstreams that have one, a page of each at a time. The cursor holds each upstream's
// progress.
import { SluiceError } from "../../base/errors.ts";
import { listsTasks } from "../../catalog/snapshot/capabilities.ts";
import { visibleGateways } from "../../catalog/snapshot/resolver.ts";
import { memberValue, type RequestMessage } from "../../mcp/json_rpc.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { CallContext } from "../call/call_context.ts";
import { cursorIn } from "../call/list_cursor.ts";
import { UNAVAILABLE_KEY } from "./lists.ts";
import { Seal } from "../call/seal.ts";
import { taskOwnerOf } from "../tasks/task_ids.ts";
import { renameInList } from "../tasks/task_text.ts";
import { sealFor } from "./task_methods.ts";
import type { UpstreamCaller } from "./upstream_caller.ts";

/** The upstreams with further pages, and their own cursors. */
type Progress = readonly (readonly [gatewayId: string, cursor: string])[];

/** One upstream's page. */
interface Page {
  readonly gateway: GatewayRow;
  /** Each as JSON text. */
  readonly tasks: readonly string[];
  readonly cursor: string | null;
  readonly failed: boolean;
}

export class TaskListCursors {
  readonly #seal: Seal;

  /** @param secret of the deployment */
  constructor(secret: string) {
    this.#seal = new Seal(secret, "task list cursor");
  }

  seal(call: CallContext, progress: Progress): string {
    return this.#seal.seal(contextOf(call), JSON.stringify(progress));
  }

  /** Returns null if the cursor is not ours or belongs to another caller. */
  open(call: CallContext, cursor: string): Progress | null {
    const text = this.#seal.open(contextOf(call), cursor);
    return text === null ? null : JSON.parse(text);
  }
}

/** @throws {SluiceError} INVALID_PARAMS for a cursor of another list */
export async function listTasks(
  caller: UpstreamCaller,
  cursors: TaskListCursors,
  call: CallContext,
  { params }: RequestMessage,
): Promise<RpcAnswer> {
  const gateways = visibleGateways(call.scope.tools, call.principal).filter(listsTasks);
  const progress = progressOf(cursors, call, cursorIn(params));
  const asked = gateways.filter(({ id }) => progress === null || progress.has(id));
  const pages = await Promise.all(
    asked.map((gateway) => pageOf(caller, call, gateway, progress?.get(gateway.id))),
  );
  const more = pages.flatMap(({ gateway, cursor }): Progress =>
    cursor === null ? [] : [[gateway.id, cursor]]
  );
  const missing = pages.filter(({ failed }) => failed).map(({ gateway }) => gateway.name);
  const tasks = pages.flatMap(({ tasks }) => tasks).join(",");
  const cursor = more.length === 0 ? "" : `,"nextCursor":${JSON.stringify(cursors.seal(call, more))}`;
  const meta = missing.length === 0 ? "" : `,"_meta":${JSON.stringify({ [UNAVAILABLE_KEY]: missing })}`;
  return { text: `{"tasks":[${tasks}]${cursor}${meta}}`, failed: false };
}

function progressOf(
  cursors: TaskListCursors,
  call: CallContext,
  cursor: unknown,
): ReadonlyMap<string, string> | null {
  if (cursor === undefined) return null;
  const progress = typeof cursor === "string" ? cursors.open(call, cursor) : null;
  if (progress === null) throw new SluiceError("INVALID_PARAMS", { reason: "unknown cursor" });
  return new Map(progress);
}

/** A failing upstream is named as unavailable, and delays the others by at most its own deadline. */
async function pageOf(
  caller: UpstreamCaller,
  call: CallContext,
  gateway: GatewayRow,
  cursor: string | undefined,
): Promise<Page> {
  const missing: Page = { gateway, tasks: [], cursor: null, failed: true };
  if (caller.missing([gateway]).length > 0) return missing;
  const params = JSON.stringify(cursor === undefined ? {} : { cursor });
  try {
    const answer = await caller.request({ gateway }, call, "tasks/list", params);
    if (answer.failed) return missing;
    const next = memberValue(answer.text, "nextCursor");
    return {
      gateway,
      tasks: renameInList(answer.text, sealFor(caller, call, gateway.id)),
      // Some servers write the absent cursor as null or "".
      cursor: typeof next === "string" && next !== "" ? next : null,
      failed: false,
    };
  } catch (error) {
    if (call.signal?.aborted) throw error;
    return missing;
  }
}

function contextOf(call: CallContext): string {
  return JSON.stringify(taskOwnerOf(call));
}
