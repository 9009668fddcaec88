// Parses a PostgreSQL DATABASE_URL, in the form of libpq or of SQLAlchemy, which ContextForge uses.
import { SluiceError } from "../../base/errors.ts";

/** The modes of libpq. `verify-ca` is treated as `verify-full`, which is stricter. */
export type TlsMode = "disable" | "prefer" | "require" | "verify-full";

/** Address and login of a PostgreSQL database. */
export interface PostgresTarget {
  readonly kind: "postgres";
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly tls: TlsMode;
  /** Paths of PEM files; null if absent. */
  readonly tlsFiles: {
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
  };
  readonly applicationName: string;
  /** The parameter `connect_timeout`, ms; null if absent. It wins over DB_CONNECT_TIMEOUT. */
  readonly connectTimeoutMs: number | null;
  /** Does the URL lead to PgBouncer? It does if it has `?pgbouncer=true`, or contains the word. */
  readonly isPgbouncer: boolean;
}

// The pattern of SQLAlchemy (engine/url.py): a password may contain any character but "@".
const URL_PATTERN =
  /^[\w+]+:\/\/(?:([^:/]*)(?::([^@]*))?@)?(?:\[([^/?]+)\]|([^/:?]+))?(?::([^/?]*))?(?:\/([^?]*))?(?:\?(.*))?$/s;

const TLS_MODES: Readonly<Record<string, TlsMode>> = {
  disable: "disable",
  allow: "prefer",
  prefer: "prefer",
  require: "require",
  "verify-ca": "verify-full",
  "verify-full": "verify-full",
};

const PARAMETERS = [
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "application_name",
  "connect_timeout",
  "pgbouncer",
];

const EXAMPLE = "postgresql://user:password@host:5432/database";

/** @throws {SluiceError} SETTINGS_INVALID with the mistake; the text never contains the URL */
export function parsePostgresUrl(url: string): PostgresTarget {
  const match = URL_PATTERN.exec(url.trim());
  if (match === null) throw refused(`it must look like ${EXAMPLE}`);
  const [, user, password, ipv6, name, portText, path, query] = match;
  const host = ipv6 ?? name;
  if (!host) throw refused(`it names no host; it must look like ${EXAMPLE}`);
  if (/[@,]/.test(host)) {
    throw refused("it must name one host, and an @ in the password must be written as %40");
  }
  if (!user) throw refused(`it names no user; it must look like ${EXAMPLE}`);
  if (!path) throw refused(`it names no database; it must look like ${EXAMPLE}`);
  const parameters = readParameters(query ?? "");
  return {
    kind: "postgres",
    host,
    port: portOf(portText),
    user: unquoted(user),
    password: unquoted(password ?? ""),
    database: unquoted(path),
    ...tlsOf(parameters),
    applicationName: parameters.get("application_name") ?? "sluice",
    connectTimeoutMs: secondsOf(parameters.get("connect_timeout")),
    isPgbouncer: isPgbouncer(parameters, `${host}/${path}?${query ?? ""}`),
  };
}

/** For error texts: host, port and database, without user and password. */
export function locationOf({ host, port, database }: PostgresTarget): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}/${database}`;
}

function readParameters(query: string): Map<string, string> {
  const parameters = new Map(new URLSearchParams(query));
  const unknown = [...parameters.keys()].filter((name) => !PARAMETERS.includes(name));
  if (unknown.length > 0) {
    throw refused(
      `it has unknown parameters (${unknown.join(", ")}); known parameters are ${PARAMETERS.join(", ")}`,
    );
  }
  return parameters;
}

function tlsOf(parameters: ReadonlyMap<string, string>): Pick<PostgresTarget, "tls" | "tlsFiles"> {
  const mode = parameters.get("sslmode");
  const ca = parameters.get("sslrootcert") ?? null;
  const tls = TLS_MODES[mode ?? "prefer"];
  if (tls === undefined) throw refused(`sslmode must be one of ${Object.keys(TLS_MODES).join(", ")}`);
  return {
    // As in libpq, a root certificate implies verification.
    tls: tls === "require" && ca !== null ? "verify-full" : tls,
    tlsFiles: { ca, cert: parameters.get("sslcert") ?? null, key: parameters.get("sslkey") ?? null },
  };
}

function isPgbouncer(parameters: ReadonlyMap<string, string>, rest: string): boolean {
  const declared = parameters.get("pgbouncer");
  if (declared === undefined) return /pgbouncer/i.test(rest);
  if (declared === "true" || declared === "false") return declared === "true";
  throw refused("pgbouncer must be true or false");
}

function portOf(text: string | undefined): number {
  if (!text) return 5432;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65536) return port;
  throw refused("its port must be a number from 1 to 65535");
}

function secondsOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const seconds = Number(text);
  if (seconds >= 1 && seconds <= 3600) return seconds * 1000;
  throw refused("connect_timeout must be a number of seconds from 1 to 3600");
}

/** Decodes percent-encoding. A stray % stays, as in SQLAlchemy. */
function unquoted(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The error for a mistake in DATABASE_URL, without the URL, which may hold a password. */
export function refused(reason: string): SluiceError {
  const mistake = `DATABASE_URL: ${reason}`;
  return new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { data: [mistake] });
}
