// Which API tokens have changed lately. A worker keeps no list of all tokens: it reads a token when it first sees it, and again when
// the token is here with a later version. So one write costs one entry, and a start costs nothing, however many tokens there are.
import type { RightsRows } from "../store/registry/rows.ts";
import type { KnownVersions } from "../store/sql/catalog_version.ts";
import type { ApiToken } from "./principal.ts";

/** Of more changes, the oldest are forgotten, and every token that was read before them is read again. */
const MAX_CHANGES = 1_000;

export class TokenChanges {
  /** The versions of the snapshot. */
  readonly #now: Pick<KnownVersions, "catalog" | "write">;
  readonly #changes: ReadonlyMap<string, number>;
  /** The version of the latest change that was forgotten. */
  readonly #forgotten: number;
  /** The version of the catalog in which the database was found to have lost writes. */
  readonly #lostAt: number;

  constructor(
    now: Pick<KnownVersions, "catalog" | "write">,
    changes: ReadonlyMap<string, number> = new Map(),
    { forgotten = 0, lostAt = 0 } = {},
  ) {
    this.#now = now;
    this.#changes = changes;
    this.#forgotten = forgotten;
    this.#lostAt = lostAt;
  }

  /** @param rows the changed tokens in the order of their versions */
  with({ versions, tokenChanges }: Pick<RightsRows, "versions" | "tokenChanges">): TokenChanges {
    if (tokenChanges === null) {
      return new TokenChanges(versions, new Map(), { lostAt: versions.catalog });
    }
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
    return new TokenChanges(versions, changes, { forgotten, lostAt: this.#lostAt });
  }

  /** May the token have changed since it was read, or was it read from writes that the database has lost? */
  isOutdated({ id, readAt }: Pick<ApiToken, "id" | "readAt">): boolean {
    const { tokens, catalog, write } = readAt;
    return tokens < this.#forgotten || (this.#changes.get(id) ?? 0) > tokens || catalog < this.#lostAt ||
      catalog > this.#now.catalog || (catalog === this.#now.catalog && write !== this.#now.write);
  }
}

/** For a worker that has read no token yet. */
export const NO_TOKEN_CHANGES = new TokenChanges({ catalog: Infinity, write: "" });
