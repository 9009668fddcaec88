// The cursors of lists: the end position of a page, sealed. Any worker of the deployment can open a cursor; clients cannot
// forge one.
import type { ListPosition } from "../../catalog/snapshot/list_order.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import { Seal } from "./seal.ts";

/** Identifies a list. A cursor is valid for its own list only. */
export interface ListOf {
  /** For example tools/list. */
  readonly method: string;
  /** Null: the whole catalog. */
  readonly serverId: string | null;
}

/** Genuine cursors are much shorter. */
const MAX_CHARS = 1024;

export class ListCursors {
  readonly #seal: Seal;

  /** @param secret of the deployment */
  constructor(secret: string) {
    this.#seal = new Seal(secret, "list cursor");
  }

  seal(list: ListOf, { gatewayCreatedAt, gatewayId, position, id }: ListPosition): string {
    return this.#seal.seal(contextOf(list), JSON.stringify([gatewayCreatedAt, gatewayId, position, id]));
  }

  /** Returns the end position of the page; null: the cursor is not ours or belongs to another list. */
  open(list: ListOf, cursor: string): ListPosition | null {
    const text = cursor.length > MAX_CHARS ? null : this.#seal.open(contextOf(list), cursor);
    if (text === null) return null;
    const [gatewayCreatedAt, gatewayId, position, id] = JSON.parse(text);
    return { gatewayCreatedAt, gatewayId, position, id };
  }
}

/** The cursor of a request; undefined: the first page. Several clients say that by null or "". */
export function cursorIn(params: unknown): unknown {
  const cursor = isObject(params) ? params.cursor : undefined;
  return cursor === null || cursor === "" ? undefined : cursor;
}

function contextOf({ method, serverId }: ListOf): string {
  return JSON.stringify([method, serverId]);
}
