// Translates errors of npm:postgres and of sockets to the errors that both drivers share.
import postgres from "postgres";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { ConstraintError } from "../sql/sql.ts";

// SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html: the first two characters are the class.
const CONSTRAINT_CLASS = "23";
const UNIQUE_VIOLATION = "23505";
const FOREIGN_KEY_VIOLATION = "23503";

/**
 * Errors of a database that is not available now, although the statement is correct: 08 connection, 25006 read-only after a
 * failover, 25P03 idle transaction ended, 28 login, 3D000 no such database, 40 rolled back, 53 out of resources, 55 lock not
 * available, 57 operator intervention or cancelled, 58 system, XX internal.
 */
const UNAVAILABLE = /^(08|25006|25P03|28|3D|40|53|55|57|58|XX)/;

/** Errors that waiting can resolve. PgBouncer reports 08 while its server is away. */
const TRANSIENT = /^(08|53|57P0)/;

/** The error to throw instead of the driver's. An error in a statement is returned unchanged. */
export function translatePostgresError(error: unknown, location: string): unknown {
  if (error instanceof SluiceError) return error;
  if (!(error instanceof postgres.PostgresError)) return unavailable(location, reasonOf(error), error);
  if (error.code.startsWith(CONSTRAINT_CLASS)) {
    return new ConstraintError(constraintKind(error.code), error.message, { cause: error });
  }
  return UNAVAILABLE.test(error.code) ? unavailable(location, error.message, error) : error;
}

/** STORE_UNAVAILABLE. Its cause names the database and the reason, for the log. */
export function unavailable(location: string, reason: string, error?: unknown): SluiceError {
  return new SluiceError("STORE_UNAVAILABLE", {}, {
    cause: new Error(`${location}: ${reason}`, error === undefined ? undefined : { cause: error }),
  });
}

/** Did the server answer with an error? Then the connection remains usable. */
export function isServerError(error: unknown): boolean {
  return error instanceof postgres.PostgresError && error.severity !== "FATAL";
}

/** Can connecting succeed later without a change of settings? */
export function isWorthWaiting(error: unknown): boolean {
  const root = rootOf(error);
  if (root instanceof postgres.PostgresError) return TRANSIENT.test(root.code);
  const reason = reasonOf(root);
  // The host name in a failed look-up may contain any of the words below.
  return /^getaddrinfo /.test(reason) || !/certificate|tls|ssl/i.test(reason);
}

/** Why a connection cannot be opened, for people; without the database's location. */
export function connectReason(error: unknown, location: string): string {
  const reason = reasonOf(rootOf(error));
  if (/ECONNREFUSED/.test(reason)) return "nothing listens there";
  if (/ENOTFOUND|EAI_AGAIN/.test(reason)) return "the host name cannot be resolved";
  return reason.startsWith(`${location}: `) ? reason.slice(location.length + 2) : reason;
}

/** The reason of a connection that the server refuses to encrypt. */
export const NO_TLS = "the server does not support TLS, which sslmode requires";

/** What an operator can do about an error of connecting; "" where there is nothing to advise. */
export function connectRemedy(error: unknown): string {
  const root = rootOf(error);
  if (root instanceof postgres.PostgresError) {
    if (root.code.startsWith("28")) return "Correct the user and the password in DATABASE_URL";
    if (root.code.startsWith("3D")) return "Create the database, or correct its name in DATABASE_URL";
    if (root.code.startsWith("53")) return "Raise max_connections of the server, or lower DB_POOL_SIZE";
    return "";
  }
  const reason = reasonOf(root);
  if (/ENOTFOUND|EAI_AGAIN/.test(reason)) return "Correct the host in DATABASE_URL";
  if (reason.endsWith(NO_TLS)) {
    return "Switch TLS on in the server, or change sslmode in DATABASE_URL";
  }
  if (/certificate/i.test(reason)) {
    return "Name the authority that signed the server's certificate by sslrootcert in DATABASE_URL";
  }
  return "Start the server, or correct the host and the port in DATABASE_URL";
}

/** The driver's error in the cause of ours. */
export function rootOf(error: unknown): unknown {
  if (!(error instanceof SluiceError)) return error;
  const told = error.cause as Error | undefined;
  return told?.cause ?? told ?? error;
}

function constraintKind(code: string): ConstraintError["kind"] {
  if (code === UNIQUE_VIOLATION) return "unique";
  return code === FOREIGN_KEY_VIOLATION ? "foreign_key" : "other";
}
