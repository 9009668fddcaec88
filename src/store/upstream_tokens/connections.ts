// The logins of people at upstreams: rows of the tokens for upstreams that a person has given, and the clients that the gateway has
// registered for them.
import { raiseRightsVersion } from "../sql/catalog_version.ts";
import { type Database, sql, type SqlQuery } from "../sql/sql.ts";
import type { TokenKey } from "./upstream_tokens.ts";

/** Whose login it is where all callers share one. */
export const SHARED_OWNER = "";

export interface ConnectionRow {
  readonly gatewayId: string;
  /** The email address of the user; `SHARED_OWNER`: everybody's. */
  readonly owner: string;
  /** Times are in ms since the epoch. */
  readonly connectedAt: number;
  /** When the access token expires; null: the server did not say. */
  readonly expiresAt: number | null;
  /** The gateway has a refresh token. */
  readonly isRenewable: boolean;
  /** Why the login is lost; null: it is not. */
  readonly fault: string | null;
  /** The scopes that a call lacked; null: none. */
  readonly wantedScope: string | null;
}

interface Row {
  readonly gateway_id: string;
  readonly owner: string;
  readonly connected_at: number | string;
  readonly expires_at: number | string | null;
  readonly is_renewable: number;
  readonly fault: string | null;
  readonly wanted_scope: string | null;
}

/** A client that the gateway has registered for an upstream. */
export interface ClientKey {
  readonly gatewayId: string;
  /** Names the authorization server and the redirect URI of the registration. */
  readonly version: string;
}

/** What a connection has besides its token. */
export type GivenLogin = Pick<ConnectionRow, "connectedAt" | "expiresAt" | "isRenewable">;

export class Connections {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The sealed token; null: there is none of these credentials. @throws {SluiceError} STORE_UNAVAILABLE */
  async find({ gatewayId, owner, version }: TokenKey): Promise<string | null> {
    const [row] = await this.#database.query<{ sealed: string | null }>(
      sql`SELECT sealed FROM upstream_tokens
          WHERE gateway_id = ${gatewayId} AND owner = ${owner} AND version = ${version}`,
    );
    return row?.sealed ?? null;
  }

  /** Whose login reads the lists of an upstream: the shared one, else that of the user who connected first; null: there is none. */
  async lister(gatewayId: string, version: string): Promise<string | null> {
    const [row] = await this.#database.query<{ owner: string }>(
      sql`SELECT owner FROM upstream_tokens
          WHERE gateway_id = ${gatewayId} AND version = ${version}
            AND sealed IS NOT NULL AND connected_at IS NOT NULL
          ORDER BY CASE WHEN owner = ${SHARED_OWNER} THEN 0 ELSE 1 END, connected_at, owner LIMIT 1`,
    );
    return row?.owner ?? null;
  }

  /** Stores a new login in place of the former one. A worker that renews the former token has lost its claim. */
  async connect({ gatewayId, owner, version }: TokenKey, sealed: string, login: GivenLogin): Promise<void> {
    const { connectedAt, expiresAt, isRenewable } = login;
    await this.#database.transaction(async (tx) => {
      await tx.run(
        sql`INSERT INTO upstream_tokens
              (gateway_id, owner, version, sealed, holder, claimed_until, connected_at, expires_at, is_renewable)
            VALUES (${gatewayId}, ${owner}, ${version}, ${sealed}, ${""}, ${0}, ${connectedAt}, ${expiresAt},
              ${isRenewable ? 1 : 0})
            ON CONFLICT (gateway_id, owner) DO UPDATE SET
              version = excluded.version, sealed = excluded.sealed, holder = excluded.holder,
              claimed_until = excluded.claimed_until, connected_at = excluded.connected_at,
              expires_at = excluded.expires_at, is_renewable = excluded.is_renewable,
              fault = NULL, wanted_scope = NULL`,
      );
      await raiseRightsVersion(tx);
    });
  }

  /** Forgets the token of a login that the authorization server does not renew, unless there is a new login by now. */
  async lost({ gatewayId, owner }: TokenKey, sealed: string, fault: string): Promise<void> {
    await this.#database.run(
      sql`UPDATE upstream_tokens SET sealed = NULL, fault = ${fault}
          WHERE gateway_id = ${gatewayId} AND owner = ${owner} AND sealed = ${sealed}`,
    );
  }

  /** Notes scopes that the next login asks for besides. */
  async wants({ gatewayId, owner }: TokenKey, scope: string): Promise<void> {
    await this.#database.run(
      sql`UPDATE upstream_tokens SET wanted_scope = ${scope}
          WHERE gateway_id = ${gatewayId} AND owner = ${owner} AND connected_at IS NOT NULL`,
    );
  }

  /** @returns the sealed token, to be revoked; undefined: there was no login */
  async disconnect(gatewayId: string, owner: string): Promise<string | null | undefined> {
    return await this.#database.transaction(async (tx) => {
      const [row] = await tx.query<{ sealed: string | null }>(
        sql`DELETE FROM upstream_tokens
            WHERE gateway_id = ${gatewayId} AND owner = ${owner} AND connected_at IS NOT NULL
            RETURNING sealed`,
      );
      if (row !== undefined) await raiseRightsVersion(tx);
      return row === undefined ? undefined : row.sealed;
    });
  }

  /** The logins that a user's calls use: the user's own, and those that all callers share. */
  async listOf(user: string): Promise<ConnectionRow[]> {
    return await this.#list(sql`AND owner IN ${sql.list([user, SHARED_OWNER])}`);
  }

  /** The logins of everybody, the oldest first. */
  async listAll(): Promise<ConnectionRow[]> {
    return await this.#list(sql``);
  }

  /** How many logins are in each state; `now` and `soonMs` as `stateOfConnection()` has them. */
  async countByState(now: number, soonMs: number): Promise<Map<string, number>> {
    const rows = await this.#database.query<{ state: string; logins: number | string }>(
      sql`SELECT state, COUNT(*) AS logins FROM (
            SELECT CASE
              WHEN fault IS NOT NULL THEN 'lost'
              WHEN is_renewable = 0 AND expires_at <= ${now} THEN 'expired'
              WHEN wanted_scope IS NOT NULL THEN 'wants_scope'
              WHEN is_renewable = 0 AND expires_at < ${now + soonMs} THEN 'expires_soon'
              ELSE 'connected' END AS state
            FROM upstream_tokens WHERE connected_at IS NOT NULL) AS logins GROUP BY state`,
    );
    return new Map(rows.map(({ state, logins }) => [state, Number(logins)]));
  }

  async #list(condition: SqlQuery): Promise<ConnectionRow[]> {
    const rows = await this.#database.query<Row>(
      sql`SELECT gateway_id, owner, connected_at, expires_at, is_renewable, fault, wanted_scope
          FROM upstream_tokens WHERE connected_at IS NOT NULL ${condition} ORDER BY connected_at, gateway_id, owner`,
    );
    return rows.map((row) => ({
      gatewayId: row.gateway_id,
      owner: row.owner,
      connectedAt: Number(row.connected_at),
      expiresAt: row.expires_at === null ? null : Number(row.expires_at),
      isRenewable: Number(row.is_renewable) === 1,
      fault: row.fault,
      wantedScope: row.wanted_scope,
    }));
  }

  /** The sealed client that the gateway has registered for an upstream; null: there is none of this version. */
  async client({ gatewayId, version }: ClientKey): Promise<string | null> {
    const [row] = await this.#database.query<{ sealed: string }>(
      sql`SELECT sealed FROM upstream_clients WHERE gateway_id = ${gatewayId} AND version = ${version}`,
    );
    return row?.sealed ?? null;
  }

  /** How many clients the gateway has registered for an upstream. */
  async countClients(gatewayId: string): Promise<number> {
    const [row] = await this.#database.query<{ clients: number | string }>(
      sql`SELECT COUNT(*) AS clients FROM upstream_clients WHERE gateway_id = ${gatewayId}`,
    );
    return Number(row!.clients);
  }

  /** Stores a registered client, unless another worker has been first. @returns the client that counts */
  async addClient(key: ClientKey, sealed: string): Promise<string> {
    const { gatewayId, version } = key;
    await this.#database.run(
      sql`INSERT INTO upstream_clients (gateway_id, version, sealed) VALUES (${gatewayId}, ${version}, ${sealed})
          ON CONFLICT (gateway_id, version) DO NOTHING`,
    );
    return await this.client(key) ?? sealed;
  }

  async forgetClients(gatewayId: string): Promise<void> {
    await this.#database.run(sql`DELETE FROM upstream_clients WHERE gateway_id = ${gatewayId}`);
  }

  async forgetClient({ gatewayId, version }: ClientKey): Promise<void> {
    await this.#database.run(
      sql`DELETE FROM upstream_clients WHERE gateway_id = ${gatewayId} AND version = ${version}`,
    );
  }
}
