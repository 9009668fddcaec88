// Which API tokens have changed lately. A worker keeps no list of all tokens: it reads a token when it first sees it, and again when
// the token is here with a later version. So one write costs one entry, and a start costs nothing, however many tokens there are.
import type { TokenChangeRows } from "../store/tokens/api_tokens.ts";
import type { ApiToken } from "./principal.ts";

/** Of more changes, the oldest are forgotten, and every token that was read before them is read again. */
const MAX_CHANGES = 1_000;

export class TokenChanges {
  readonly version: number;
  readonly #changes: ReadonlyMap<string, number>;
  /** The version of the latest change that was forgotten. */
  readonly #forgotten: number;

  constructor(version: number, changes: ReadonlyMap<string, number>, forgotten: number) {
    this.version = version;
    this.#changes = changes;
    this.#forgotten = forgotten;
  }

  /** @param changed in the order of their versions */
  with({ version, changed }: TokenChangeRows): TokenChanges {
    if (version === this.version) return this;
    const changes = new Map(this.#changes);
    for (const { id, change } of changed) {
      changes.delete(id);
      changes.set(id, change);
    }
    let forgotten = this.#forgotten;
    for (const [id, change] of changes) {
      if (changes.size <= MAX_CHANGES) break;
      forgotten = Math.max(forgotten, change);
      changes.delete(id);
    }
    return new TokenChanges(version, changes, forgotten);
  }

  /** May the token have changed since it was read? */
  isOutdated({ id, readAt }: Pick<ApiToken, "id" | "readAt">): boolean {
    return readAt < this.#forgotten || (this.#changes.get(id) ?? 0) > readAt;
  }
}

export const NO_TOKEN_CHANGES = new TokenChanges(0, new Map(), 0);
