// The cursors of lists: where a page ended, sealed, so that any worker of the deployment can go on and nobody can make one up.
import type { ListPosition } from "../../catalog/snapshot/list_order.ts";
import { Seal } from "./seal.ts";

/** Which list a cursor goes on in; one of another list is none of ours. */
export interface ListOf {
  /** e.g. tools/list */
  readonly method: string;
  /** null: everything. */
  readonly serverId: string | null;
}

/** No cursor of ours is nearly as long. */
const MAX_CHARS = 1024;

export class ListCursors {
  readonly #seal: Seal;

  /** @param secret the deployment's */
  constructor(secret: string) {
    this.#seal = new Seal(secret, "list cursor");
  }

  seal(list: ListOf, { gatewayCreatedAt, gatewayId, position, id }: ListPosition): string {
    return this.#seal.seal(contextOf(list), JSON.stringify([gatewayCreatedAt, gatewayId, position, id]));
  }

  /** Where the page ended, or null where the cursor is not ours or of another list. */
  open(list: ListOf, cursor: string): ListPosition | null {
    const text = cursor.length > MAX_CHARS ? null : this.#seal.open(contextOf(list), cursor);
    if (text === null) return null;
    const [gatewayCreatedAt, gatewayId, position, id] = JSON.parse(text);
    return { gatewayCreatedAt, gatewayId, position, id };
  }
}

function contextOf({ method, serverId }: ListOf): string {
  return JSON.stringify([method, serverId]);
}
