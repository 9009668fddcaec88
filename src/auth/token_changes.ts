// Which API tokens have changed lately. A worker keeps no list of all tokens: it reads a token when it first sees it, and again when
// the token is here with a later version. So one write costs one entry, and a start costs nothing, however many tokens there are.
import type { RightsRows } from "../store/registry/rows.ts";
import type { KnownVersions } from "../store/sql/catalog_version.ts";
import type { ApiToken } from "./principal.ts";

/** Of more changes, the oldest are forgotten, and every token that was read before them is read again. */
const MAX_CHANGES = 1_000;

/** Stands for the changes at a look at a token. A cache of many tokens keeps it in place of the changes, which would take much memory. */
export interface TokenLook {
  /** The versions of the snapshot in which the database was found to have lost writes; null: it has lost none. */
  readonly lossIn: KnownVersions | null;
}

export class TokenChanges {
  /** For a look at a token with these changes. */
  readonly look: TokenLook;
  readonly #changes: ReadonlyMap<string, number>;
  /** The version of the latest change that was forgotten. */
  readonly #forgotten: number;
  /** Are these the changes as of the snapshot in which a loss was found? */
  readonly #isNewLoss: boolean;

  constructor(
    changes: ReadonlyMap<string, number>,
    { lossIn, forgotten = 0, isNewLoss = false }: TokenLook & {
      readonly forgotten?: number;
      readonly isNewLoss?: boolean;
    },
  ) {
    this.look = { lossIn };
    this.#changes = changes;
    this.#forgotten = forgotten;
    this.#isNewLoss = isNewLoss;
  }

  /** @param rows the changed tokens in the order of their versions @returns the same object if none has changed */
  with({ versions, tokenChanges }: Pick<RightsRows, "versions" | "tokenChanges">): TokenChanges {
    if (tokenChanges === null) return new TokenChanges(new Map(), { lossIn: versions, isNewLoss: true });
    if (tokenChanges.length === 0 && !this.#isNewLoss) return this;
    const changes = new Map(this.#changes);
    for (const { id, change } of tokenChanges) {
      changes.delete(id);
      changes.set(id, change);
    }
    let forgotten = this.#forgotten;
    for (const [id, change] of changes) {
      if (changes.size <= MAX_CHANGES) break;
      forgotten = Math.max(forgotten, change);
      changes.delete(id);
    }
    return new TokenChanges(changes, { forgotten, lossIn: this.look.lossIn });
  }

  /**
   * May the token have changed since it was read, or was it read from writes that the database has lost? A token may also be read from
   * later writes than those of the snapshot: it is not outdated.
   * @param since the last look at the token; absent: not known
   */
  isOutdated({ id, readAt }: Pick<ApiToken, "id" | "readAt">, since?: TokenLook): boolean {
    if (readAt.tokens < this.#forgotten || (this.#changes.get(id) ?? 0) > readAt.tokens) return true;
    return since === undefined ? this.#hasLost(readAt) : this.look.lossIn !== since.lossIn;
  }

  /** Streams are checked at each snapshot. So only the snapshot of the loss meets tokens of lost writes with higher versions. */
  #hasLost({ catalog, write }: KnownVersions): boolean {
    const { lossIn } = this.look;
    if (lossIn === null || write === lossIn.write) return false;
    return this.#isNewLoss || catalog <= lossIn.catalog;
  }
}

/** For a worker that has read no token yet. */
export const NO_TOKEN_CHANGES = new TokenChanges(new Map(), { lossIn: null });
