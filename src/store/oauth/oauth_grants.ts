// Codes and grants. Each change of their state is one statement that compares and sets, so that of several workers one succeeds.
import { NOW_MS } from "../sql/database_clock.ts";
import { type Database, sql } from "../sql/sql.ts";
import {
  type CodeRow,
  CODES,
  type ConsentRow,
  CONSENTS,
  type GrantRow,
  GRANTS,
  type Holder,
} from "./oauth_rows.ts";

/** A code or a grant with what it stands on. */
export interface WithConsent {
  readonly consent: ConsentRow;
  readonly holder: Holder;
}

export type Rotation = Pick<GrantRow, "refreshHash" | "formerTokens" | "expiresAt">;

/** Former refresh tokens whose reuse is noticed. */
export const MAX_FORMER_TOKENS = 10;

/** Logins of one client at one resource that a user may have. The oldest end. */
export const MAX_GRANTS_PER_CONSENT = 20;

const HOLDER = sql`users.email AS holder_email, users.is_active AS holder_is_active,
  users.tokens_valid_from AS holder_tokens_valid_from`;

export class OAuthGrants {
  constructor(private readonly database: Database) {}

  async insertCode(row: CodeRow): Promise<void> {
    for (const statement of CODES.inserts([row])) await this.database.run(statement);
  }

  /** The code, also if it has been used or has expired. */
  async code(codeHash: string): Promise<(WithConsent & { readonly code: CodeRow }) | null> {
    const [record] = await this.database.query<Record<string, unknown>>(
      sql`SELECT oauth_codes.*, ${HOLDER} FROM oauth_codes
          JOIN oauth_consents ON oauth_consents.id = oauth_codes.consent_id
          JOIN users ON users.id = oauth_consents.user_id WHERE code_hash = ${codeHash}`,
    );
    if (record === undefined) return null;
    const code = CODES.decode(record);
    const consent = await this.#consent(code.consentId);
    return consent === null ? null : { code, consent, holder: holderIn(record) };
  }

  /** @returns false if another request has taken the code, or it has expired */
  async takeCode(codeHash: string): Promise<boolean> {
    const { changes } = await this.database.run(
      sql`UPDATE oauth_codes SET state = 'taken'
          WHERE code_hash = ${codeHash} AND state = 'new' AND expires_at > ${NOW_MS[this.database.dialect]}`,
    );
    return changes > 0;
  }

  /**
   * Makes the grant of a code that this request has taken.
   * @returns the ids of former grants that end for it; null: somebody has used the code again in the meantime
   */
  async redeem(codeHash: string, grant: GrantRow): Promise<string[] | null> {
    return await this.database.transaction(async (tx) => {
      const { changes } = await tx.run(
        sql`UPDATE oauth_codes SET state = 'redeemed' WHERE code_hash = ${codeHash} AND state = 'taken'`,
      );
      return changes === 0 ? null : await new OAuthGrants(tx).insert(grant);
    });
  }

  /** @returns the ids of the grants beyond MAX_GRANTS_PER_CONSENT, which are deleted */
  async insert(grant: GrantRow): Promise<string[]> {
    for (const statement of GRANTS.inserts([grant])) await this.database.run(statement);
    const beyond = await this.database.query<{ id: string }>(
      sql`DELETE FROM oauth_grants WHERE id IN (SELECT id FROM oauth_grants WHERE consent_id = ${grant.consentId}
          ORDER BY created_at DESC, id LIMIT 1000000 OFFSET ${MAX_GRANTS_PER_CONSENT}) RETURNING id`,
    );
    return beyond.map(({ id }) => id);
  }

  /** A code was used again: its grant ends. @returns the grant's id; null: the code was never taken, or this is known already */
  async replayed(codeHash: string): Promise<string | null> {
    return await this.database.transaction(async (tx) => {
      const [code] = await tx.query<{ grant_id: string }>(
        sql`UPDATE oauth_codes SET state = 'replayed' WHERE code_hash = ${codeHash} AND state IN ('taken', 'redeemed')
            RETURNING grant_id`,
      );
      if (code === undefined) return null;
      await new OAuthGrants(tx).end(code.grant_id);
      return code.grant_id;
    });
  }

  async grant(id: string): Promise<(WithConsent & { readonly grant: GrantRow }) | null> {
    const [record] = await this.database.query<Record<string, unknown>>(
      sql`SELECT oauth_grants.*, ${HOLDER} FROM oauth_grants
          JOIN oauth_consents ON oauth_consents.id = oauth_grants.consent_id
          JOIN users ON users.id = oauth_consents.user_id
          WHERE oauth_grants.id = ${id} AND oauth_grants.expires_at > ${NOW_MS[this.database.dialect]}`,
    );
    if (record === undefined) return null;
    const grant = GRANTS.decode(record);
    const consent = await this.#consent(grant.consentId);
    return consent === null ? null : { grant, consent, holder: holderIn(record) };
  }

  /** Gives the grant a new refresh token in the place of the one in `row`. @returns false if another request was first */
  async rotate(row: GrantRow, { refreshHash, formerTokens, expiresAt }: Rotation): Promise<boolean> {
    const former = JSON.stringify(formerTokens.slice(0, MAX_FORMER_TOKENS));
    const { changes } = await this.database.run(
      sql`UPDATE oauth_grants SET refresh_hash = ${refreshHash}, former_tokens = ${former},
            expires_at = ${expiresAt}
          WHERE id = ${row.id} AND refresh_hash = ${row.refreshHash}`,
    );
    return changes > 0;
  }

  /** @returns false if there is no such grant */
  async end(id: string): Promise<boolean> {
    const { changes } = await this.database.run(sql`DELETE FROM oauth_grants WHERE id = ${id}`);
    return changes > 0;
  }

  /** A used code is kept until its replay would be refused anyway, with the grant that it has made. */
  async sweep(): Promise<void> {
    const now = NOW_MS[this.database.dialect];
    await this.database.run(sql`DELETE FROM oauth_codes WHERE expires_at <= ${now} - ${CODES_KEPT_MS}`);
    await this.database.run(sql`DELETE FROM oauth_grants WHERE expires_at <= ${now}`);
  }

  async #consent(id: string): Promise<ConsentRow | null> {
    const [record] = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM oauth_consents WHERE id = ${id}`,
    );
    return record === undefined ? null : CONSENTS.decode(record);
  }
}

/** The reuse of a code ends its grant for this time after the code has expired. */
const CODES_KEPT_MS = 60 * 60 * 1000;

function holderIn(record: Readonly<Record<string, unknown>>): Holder {
  const validFrom = record.holder_tokens_valid_from;
  return {
    email: String(record.holder_email),
    isActive: Number(record.holder_is_active) !== 0,
    tokensValidFrom: validFrom === null ? null : Number(validFrom),
  };
}
