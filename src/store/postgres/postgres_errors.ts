// What npm:postgres and its sockets throw, in the words that every driver shares.
import postgres from "postgres";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { ConstraintError } from "../sql/sql.ts";

// SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html: the first two characters are the class.
const CONSTRAINT_CLASS = "23";
const UNIQUE_VIOLATION = "23505";
const FOREIGN_KEY_VIOLATION = "23503";

/**
 * The statement was good and the database could not do it now: 08 connection, 25006 read-only after a failover, 25P03
 * idle transaction ended, 28 login, 3D000 no such database, 40 rolled back, 53 out of resources, 55 lock not available,
 * 57 operator intervention or cancelled, 58 system, XX internal.
 */
const UNAVAILABLE = /^(08|25006|25P03|28|3D|40|53|55|57|58|XX)/;

/** Waiting helps: 08 is also what PgBouncer says while the server behind it is away. */
const TRANSIENT = /^(08|53|57P0)/;

/** The error to throw instead of the driver's; a mistake in a statement stays what it is. */
export function translatePostgresError(error: unknown, location: string): unknown {
  if (error instanceof SluiceError) return error;
  if (!(error instanceof postgres.PostgresError)) return unavailable(location, reasonOf(error), error);
  if (error.code.startsWith(CONSTRAINT_CLASS)) {
    return new ConstraintError(constraintKind(error.code), error.message, { cause: error });
  }
  return UNAVAILABLE.test(error.code) ? unavailable(location, error.message, error) : error;
}

/** STORE_UNAVAILABLE, whose cause names the database and the reason for the log. */
export function unavailable(location: string, reason: string, error?: unknown): SluiceError {
  return new SluiceError("STORE_UNAVAILABLE", {}, {
    cause: new Error(`${location}: ${reason}`, error === undefined ? undefined : { cause: error }),
  });
}

/** Did the server itself answer with an error, so that the connection can go on? */
export function isServerError(error: unknown): boolean {
  return error instanceof postgres.PostgresError && error.severity !== "FATAL";
}

/** May connecting succeed later without anybody changing a setting? */
export function isWorthWaiting(error: unknown): boolean {
  const root = rootOf(error);
  if (root instanceof postgres.PostgresError) return TRANSIENT.test(root.code);
  const reason = reasonOf(root);
  // A name that cannot be looked up yet may have any of these words in it.
  return /^getaddrinfo /.test(reason) || !/certificate|tls|ssl/i.test(reason);
}

/** The driver's own error under ours. */
export function rootOf(error: unknown): unknown {
  if (!(error instanceof SluiceError)) return error;
  const told = error.cause as Error | undefined;
  return told?.cause ?? told ?? error;
}

function constraintKind(code: string): ConstraintError["kind"] {
  if (code === UNIQUE_VIOLATION) return "unique";
  return code === FOREIGN_KEY_VIOLATION ? "foreign_key" : "other";
}
