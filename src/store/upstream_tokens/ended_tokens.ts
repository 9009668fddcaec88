// Tokens for upstreams that the gateway has forgotten, until their authorization servers have forgotten them too.
import { NOW_MS } from "../sql/database_clock.ts";
import { type Database, sql, type SqlQuery } from "../sql/sql.ts";

export interface EndedToken {
  readonly gatewayId: string;
  readonly owner: string;
  readonly sealed: string;
  /** The upstream as it was: its name, URL, authority and sealed credentials. */
  readonly upstream: string;
  readonly url: string;
  readonly caCertificate: string | null;
  readonly authSecret: string | null;
  /** How often its revocation has failed. */
  readonly tries: number;
}

interface Row {
  readonly gateway_id: string;
  readonly owner: string;
  readonly sealed: string;
  readonly upstream: string;
  readonly url: string;
  readonly ca_certificate: string | null;
  readonly auth_secret: string | null;
  readonly tries: number;
}

/** Pauses after a revocation that failed, ms. After the last one the token is left to expire. */
const PAUSES_MS = [60_000, 300_000, 1_800_000];

/** Tokens that wait. A deletion of more users at once leaves the others to expire. */
const MAX_WAITING = 10_000;

/** Ends all tokens of an upstream that is deleted, or whose URL or credentials change. Called before its row changes. */
export async function endTokensOfGateway(tx: Database, gatewayId: string): Promise<void> {
  await end(tx, sql`gateway_id = ${gatewayId}`);
  await tx.run(sql`DELETE FROM upstream_clients WHERE gateway_id = ${gatewayId}`);
}

/** Ends the logins of a user who is deleted or deactivated. @param email in lower case */
export async function endTokensOfUser(tx: Database, email: string): Promise<void> {
  await end(tx, sql`connected_at IS NOT NULL AND LOWER(owner) = ${email}`);
}

async function end(tx: Database, which: SqlQuery): Promise<void> {
  await tx.run(
    sql`INSERT INTO ended_upstream_tokens
          (gateway_id, owner, sealed, upstream, url, ca_certificate, auth_secret, due_at, tries)
        SELECT gateway_id, owner, sealed, gateways.name, gateways.url, gateways.ca_certificate, gateways.auth_secret,
          ${NOW_MS[tx.dialect]}, 0
        FROM upstream_tokens JOIN gateways ON gateways.id = gateway_id
        WHERE sealed IS NOT NULL AND ${which}
          AND (SELECT COUNT(*) FROM ended_upstream_tokens) < ${MAX_WAITING} LIMIT ${MAX_WAITING}`,
  );
  await tx.run(sql`DELETE FROM upstream_tokens WHERE ${which}`);
}

export class EndedTokens {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * The tokens that are due, in turns: the oldest of each upstream and owner, then their second ones, and so on. The many tokens of one
   * person, or of one upstream, thus come after the few of others.
   */
  async list(limit: number): Promise<EndedToken[]> {
    const rows = await this.#database.query<Row>(
      sql`SELECT gateway_id, owner, sealed, upstream, url, ca_certificate, auth_secret, tries FROM (
            SELECT ended_upstream_tokens.*,
              ROW_NUMBER() OVER (PARTITION BY gateway_id ORDER BY due_at, owner) +
              ROW_NUMBER() OVER (PARTITION BY owner ORDER BY due_at, gateway_id) AS turn
            FROM ended_upstream_tokens WHERE due_at <= ${NOW_MS[this.#database.dialect]}
          ) AS due ORDER BY turn, due_at LIMIT ${limit}`,
    );
    return rows.map(({ gateway_id, ca_certificate, auth_secret, tries, ...row }) => ({
      ...row,
      tries: Number(tries),
      gatewayId: gateway_id,
      caCertificate: ca_certificate,
      authSecret: auth_secret,
    }));
  }

  async drop({ gatewayId, sealed }: EndedToken): Promise<void> {
    await this.#database.run(
      sql`DELETE FROM ended_upstream_tokens WHERE gateway_id = ${gatewayId} AND sealed = ${sealed}`,
    );
  }

  /** Has a token wait for another try. @returns false if there is none */
  async postpone(token: EndedToken): Promise<boolean> {
    const pauseMs = PAUSES_MS[token.tries];
    if (pauseMs === undefined) {
      await this.drop(token);
      return false;
    }
    await this.#database.run(
      sql`UPDATE ended_upstream_tokens SET tries = ${token.tries + 1}, due_at = ${
        NOW_MS[this.#database.dialect]
      } + ${pauseMs}
          WHERE gateway_id = ${token.gatewayId} AND sealed = ${token.sealed}`,
    );
    return true;
  }
}
