// Reads the settings of a PgBouncer, as they apply to the gateway's database and user.
import { askConsole } from "../../../store/postgres/pooler.ts";
import type { PostgresTarget } from "../../../store/postgres/postgres_url.ts";

export interface PoolerFacts {
  /** By the names of the section [pgbouncer], with what the database and the user have of their own; null: PgBouncer does not tell. */
  readonly settings: Readonly<Record<string, string>> | null;
  /** The section in which a setting is overruled. */
  readonly overruled: Readonly<Record<string, "[databases]" | "[users]">>;
}

type Row = Readonly<Record<string, unknown>>;

export const UNTOLD: PoolerFacts = { settings: null, overruled: {} };

/** Columns of SHOW DATABASES and SHOW USERS by the setting that they overrule. The versions of PgBouncer have different names. */
const [OF_DATABASE, OF_USER]: readonly Readonly<Record<string, readonly string[]>>[] = [
  {
    pool_mode: ["pool_mode"],
    default_pool_size: ["pool_size"],
    min_pool_size: ["min_pool_size"],
    reserve_pool_size: ["reserve_pool_size", "reserve_pool"],
    max_db_connections: ["max_connections"],
    max_client_conn: ["max_client_connections"],
  },
  {
    pool_mode: ["pool_mode"],
    default_pool_size: ["pool_size"],
    reserve_pool_size: ["reserve_pool_size"],
    max_user_connections: ["max_user_connections"],
    max_client_conn: ["max_user_client_connections"],
  },
];

/** 0 means no limit there, and the limit of all clients holds besides. */
const WITHIN_ALL = "max_client_conn";

/** As PgBouncer decides: the user's value wins over the database's, and that over the general one. */
export function effective(
  config: Readonly<Record<string, string>>,
  database: Row | undefined,
  user: Row | undefined,
): PoolerFacts {
  const settings = { ...config };
  const overruled: Record<string, "[databases]" | "[users]"> = {};
  for (
    const [row, columns, place] of [[database, OF_DATABASE, "[databases]"], [
      user,
      OF_USER,
      "[users]",
    ]] as const
  ) {
    for (const [name, names] of Object.entries(columns!)) {
      const told = names.map((column) => row?.[column]).find((value) =>
        value !== undefined && value !== null
      );
      const value = String(told ?? "").trim();
      if (value === "" || value === settings[name]) continue;
      if (name === WITHIN_ALL && (value === "0" || Number(value) > Number(settings[name]))) continue;
      settings[name] = value;
      overruled[name] = place;
    }
  }
  return { settings, overruled };
}

export async function readPooler(
  target: PostgresTarget,
  options: Parameters<typeof askConsole>[1],
): Promise<PoolerFacts> {
  try {
    const config = await askConsole(target, options, "SHOW CONFIG");
    const databases = await askConsole(target, options, "SHOW DATABASES");
    const users = await askConsole(target, options, "SHOW USERS");
    return effective(
      Object.fromEntries(config.map(({ key, value }) => [String(key), String(value)])),
      databases.find(({ name }) => name === target.database),
      users.find(({ name }) => name === target.user),
    );
  } catch {
    return UNTOLD;
  }
}
