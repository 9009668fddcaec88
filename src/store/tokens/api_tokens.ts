// Room `tokens`: API tokens, and what they are used for. Workers read a token when they first see it, and afterwards which tokens have
// changed, so that neither a start nor a write reads all of them.
import { SluiceError } from "../../base/errors.ts";
import {
  type KnownVersions,
  raiseRightsVersion,
  VERSION_COLUMNS,
  versionsOf,
} from "../sql/catalog_version.ts";
import { ConstraintError, type Database, sql, type SqlQuery } from "../sql/sql.ts";
import { API_TOKENS, type ApiTokenRow, type ShownToken } from "./token_rows.ts";

export type NewApiToken = Omit<
  ApiTokenRow,
  "createdAt" | "revokedAt" | "revokedBy" | "revocationReason" | "isImported" | "change"
>;

export type ApiTokenChanges = Partial<
  Pick<
    ApiTokenRow,
    | "name"
    | "description"
    | "serverId"
    | "permissions"
    | "ipRestrictions"
    | "timeRestrictions"
    | "usageLimits"
    | "tags"
    | "isActive"
  >
>;

/** A token that an import brings. */
export interface ImportedToken extends Omit<ApiTokenRow, "isImported" | "change"> {
  /** ms since the epoch; null: never. */
  readonly lastUsed: number | null;
}

/** Which tokens a list has. */
export interface TokenFilter {
  /** The owner. With `teamIds` also tokens of others in these teams. */
  readonly userId?: string;
  readonly teamIds?: readonly string[];
  /** Also tokens that are switched off, revoked or expired. */
  readonly includeInactive: boolean;
}

/** A change of a token, as workers read it. */
export interface TokenChange {
  readonly id: string;
  readonly change: number;
}

/** A token as of one moment; null: there is no such token. */
export interface TokenReading {
  readonly readAt: KnownVersions;
  readonly token: ShownToken | null;
}

/** Time after which tokens that are refused for good, and counts of days, are deleted. */
export const KEPT_MS = 90 * 86_400_000;

const USES_PER_INSERT = 100;

const SHOWN = shownOf(sql`api_tokens`);

export class ApiTokens {
  constructor(private readonly database: Database, private readonly now: () => Date) {}

  /**
   * @param limit the tokens that the owner may have. Of those that are refused for good, the oldest make room for the new one
   * @throws {SluiceError} CONFLICT if the owner has a token of this name, or too many
   */
  async insert(given: NewApiToken, limit: number): Promise<void> {
    const row = {
      ...given,
      createdAt: this.now().toISOString(),
      ...{ revokedAt: null, revokedBy: null, revocationReason: null, isImported: false },
    };
    await this.#write(row.name, async (tx, change) => {
      const [{ amount }] = await tx.query<{ amount: number }>(
        sql`SELECT COUNT(*) AS amount FROM api_tokens
            WHERE user_id = ${row.userId} AND NOT (${this.#isOver()})`,
      );
      if (Number(amount) >= limit) {
        throw new SluiceError("CONFLICT", {
          reason:
            `The user has ${limit} API tokens, which is the limit (MAX_API_TOKENS_PER_USER); revoke one first`,
        });
      }
      await tx.run(
        sql`DELETE FROM api_tokens WHERE id IN (SELECT id FROM api_tokens
            WHERE user_id = ${row.userId} AND is_imported = 0 AND (${this.#isOver()})
            ORDER BY created_at DESC, id LIMIT 1000000 OFFSET ${limit})`,
      );
      for (const statement of API_TOKENS.inserts([{ ...row, change }])) await tx.run(statement);
    });
  }

  async get(id: string): Promise<ShownToken | null> {
    const [record] = await this.database.query<Record<string, unknown>>(
      sql`${SHOWN} WHERE api_tokens.id = ${id}`,
    );
    return record === undefined ? null : shown(record);
  }

  /** For a worker that sees a token for the first time, or anew. One statement, so that token and versions belong together. */
  async read(id: string): Promise<TokenReading> {
    const [record] = await this.database.query<Record<string, unknown>>(
      sql`SELECT versions.*, shown.* FROM (SELECT ${VERSION_COLUMNS} FROM catalog_version) versions
          LEFT JOIN (${SHOWN} WHERE api_tokens.id = ${id}) shown ON 1 = 1`,
    );
    return { readAt: versionsOf(record), token: record.id === null ? null : shown(record) };
  }

  /** The latest first. */
  async list(
    filter: TokenFilter,
    { limit, offset }: { readonly limit: number; readonly offset: number },
  ): Promise<{ readonly tokens: ShownToken[]; readonly total: number }> {
    const where = this.#matching(filter);
    // The part is chosen before the other tables are looked at.
    const part = sql`(SELECT * FROM api_tokens WHERE ${where} ORDER BY created_at DESC, id
                      LIMIT ${limit} OFFSET ${offset}) api_tokens`;
    const records = await this.database.query<Record<string, unknown>>(
      sql`${shownOf(part)} ORDER BY api_tokens.created_at DESC, api_tokens.id`,
    );
    const isOfAll = filter.userId === undefined && filter.teamIds === undefined;
    const [{ amount }] = await this.database.query<{ amount: number }>(
      isOfAll && !filter.includeInactive
        ? this.#countUsable()
        : sql`SELECT COUNT(*) AS amount FROM api_tokens WHERE ${where}`,
    );
    return { tokens: records.map(shown), total: Number(amount) };
  }

  /** Both databases count all tokens fast, and few of them cannot be used: indexes have these. */
  #countUsable(): SqlQuery {
    const count = sql`SELECT COUNT(*) FROM api_tokens`;
    return sql`SELECT (${count}) - (${count} WHERE is_active = 0 OR revoked_at IS NOT NULL)
      - (${count} WHERE is_active = 1 AND revoked_at IS NULL AND expires_at IS NOT NULL
           AND expires_at <= ${this.now().getTime()}) AS amount`;
  }

  /** @throws {SluiceError} NOT_FOUND, also for a revoked token; CONFLICT if the owner has another token of the name */
  async update(id: string, changes: ApiTokenChanges): Promise<void> {
    await this.#write(changes.name ?? "", async (tx, change) => {
      const { changes: written } = await tx.run(
        sql`UPDATE api_tokens SET ${API_TOKENS.assignments({ ...changes, change })}
            WHERE id = ${id} AND revoked_at IS NULL`,
      );
      if (written === 0) throw new SluiceError("NOT_FOUND", { what: `Token ${id}` });
    });
  }

  /** Of a revoked token nothing changes. @returns false if there is no such token */
  async revoke(
    { id, revokedBy, reason }: {
      readonly id: string;
      readonly revokedBy: string | null;
      readonly reason: string | null;
    },
  ): Promise<boolean> {
    const known = await this.get(id);
    if (known === null || known.revokedAt !== null) return known !== null;
    const revoked: Partial<ApiTokenRow> = {
      revokedAt: this.now().getTime(),
      revokedBy,
      revocationReason: reason,
    };
    await this.#write(known.name, async (tx, change) => {
      await tx.run(
        sql`UPDATE api_tokens SET ${API_TOKENS.assignments({ ...revoked, change })}
            WHERE id = ${id} AND revoked_at IS NULL`,
      );
    });
    return true;
  }

  /** @param since the version that the reader knows */
  async changes(since: number): Promise<TokenChange[]> {
    const changed = await this.database.query<{ id: string; change: number | string }>(
      sql`SELECT id, change FROM api_tokens WHERE change > ${since} ORDER BY change, id`,
    );
    return changed.map(({ id, change }) => ({ id, change: Number(change) }));
  }

  /** All of them, for an import. */
  async all(): Promise<ApiTokenRow[]> {
    const records = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM api_tokens ORDER BY created_at, id`,
    );
    return records.map((record) => API_TOKENS.decode(record));
  }

  /**
   * Deletes tokens that have been refused for long. They stay refused: a token needs its row. An imported token is valid without one, so
   * that its row stays until it has expired. @returns how many
   */
  async sweep(): Promise<number> {
    const before = this.now().getTime() - KEPT_MS;
    const { changes } = await this.database.run(
      sql`DELETE FROM api_tokens WHERE (revoked_at <= ${before} AND is_imported = 0) OR expires_at <= ${before}`,
    );
    return changes;
  }

  #isOver(): SqlQuery {
    return sql`revoked_at IS NOT NULL OR (expires_at IS NOT NULL AND expires_at <= ${this.now().getTime()})`;
  }

  #matching({ userId, teamIds, includeInactive }: TokenFilter): SqlQuery {
    const whose = [
      ...(userId === undefined ? [] : [sql`api_tokens.user_id = ${userId}`]),
      ...(teamIds === undefined || teamIds.length === 0
        ? []
        : [sql`api_tokens.team_id IN ${sql.list(teamIds)}`]),
    ];
    return sql.join([
      whose.length === 0 ? sql`1 = 1` : sql`(${sql.join(whose, " OR ")})`,
      ...(includeInactive ? [] : [sql`api_tokens.is_active = 1 AND NOT (${this.#isOver()})`]),
    ], " AND ");
  }

  /** Runs `write` in a transaction, and tells the workers of the change. */
  async #write(name: string, write: (tx: Database, change: number) => Promise<void>): Promise<void> {
    try {
      // The version is raised first, because that makes concurrent writes wait: counts and limits hold until the commit.
      await this.database.transaction(async (tx) => await write(tx, await raiseRightsVersion(tx)));
    } catch (error) {
      if (!(error instanceof ConstraintError) || error.kind !== "unique") throw error;
      throw new SluiceError("CONFLICT", {
        reason: `The user has an API token named "${name}" already; choose another name`,
      }, { cause: error });
    }
  }
}

/** Revokes the tokens of a team that is deleted, in its transaction. */
export async function revokeTokensOfTeam(
  tx: Database,
  { teamId, at }: { readonly teamId: string; readonly at: Date },
): Promise<void> {
  const change = await raiseRightsVersion(tx);
  const revoked: Partial<ApiTokenRow> = {
    revokedAt: at.getTime(),
    revocationReason: "the team was deleted",
    change,
  };
  await tx.run(
    sql`UPDATE api_tokens SET ${API_TOKENS.assignments(revoked)}
        WHERE team_id = ${teamId} AND revoked_at IS NULL`,
  );
}

/** Revokes the imported tokens of a user who is deleted, in its transaction: without their rows, their claims would count. */
export async function revokeImportedTokensOf(
  tx: Database,
  { email, at }: { readonly email: string; readonly at: Date },
): Promise<void> {
  await tx.run(
    sql`INSERT INTO revoked_tokens (jti, revoked_at, revoked_by, reason, expires_at)
        SELECT api_tokens.id, CAST(${at.toISOString()} AS TEXT), NULL, 'the user was deleted', api_tokens.expires_at
        FROM api_tokens JOIN users ON users.id = api_tokens.user_id
        WHERE users.email = ${email} AND api_tokens.is_imported = 1
        ON CONFLICT (jti) DO NOTHING`,
  );
}

/** Writes the tokens of an import, in its transaction. */
export async function insertImportedTokens(tx: Database, tokens: readonly ImportedToken[]): Promise<void> {
  if (tokens.length === 0) return;
  const change = await raiseRightsVersion(tx);
  const rows = tokens.map(({ lastUsed: _, ...row }) => ({ ...row, isImported: true, change }));
  for (const statement of API_TOKENS.inserts(rows)) await tx.run(statement);
  const used = tokens.filter(({ lastUsed }) => lastUsed !== null);
  for (let start = 0; start < used.length; start += USES_PER_INSERT) {
    const tuples = used.slice(start, start + USES_PER_INSERT)
      .map(({ id, lastUsed }) => sql`(${id}, ${lastUsed}, 0, 0, 0, 0, 0)`);
    await tx.run(
      sql`INSERT INTO api_token_totals (token_id, last_used, hour, hour_requests, day, day_requests, requests)
          VALUES ${sql.join(tuples)} ON CONFLICT (token_id) DO NOTHING`,
    );
  }
}

/** @param tokens the tokens to show, under the name `api_tokens` */
function shownOf(tokens: SqlQuery): SqlQuery {
  return sql`SELECT api_tokens.*, users.email, users.tokens_valid_from, api_token_totals.last_used
    FROM ${tokens} JOIN users ON users.id = api_tokens.user_id
    LEFT JOIN api_token_totals ON api_token_totals.token_id = api_tokens.id`;
}

function shown(record: Readonly<Record<string, unknown>>): ShownToken {
  const { email, tokens_valid_from, last_used } = record;
  return {
    ...API_TOKENS.decode(record),
    email: String(email),
    tokensValidFrom: tokens_valid_from === null ? null : Number(tokens_valid_from),
    lastUsed: last_used === null || last_used === undefined ? null : Number(last_used),
  };
}
