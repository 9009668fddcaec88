// Runs the services of a compose.yaml as processes of this machine, without Docker. What the images do with the file is repeated here:
// the configuration that the entry point of PgBouncer's makes of variables, the user and database of PostgreSQL's. The names of services
// become ports of 127.0.0.1.
import { assertEquals } from "@std/assert";
import { parse as parseEnv } from "@std/dotenv";
import { parse as parseYaml } from "@std/yaml";
import { PgBouncer } from "./pgbouncer.ts";
import { PostgresServer } from "./postgres.ts";
import { RedisServer } from "./redis.ts";
import { startNginx } from "./round_robin.ts";
import { Sluice } from "./sluice.ts";
import type { PlannedFolder } from "./tuned_gateway.ts";

interface Service {
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly env_file?: readonly string[];
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly deploy?: { readonly replicas: number };
}

interface ComposeFile {
  readonly services: Readonly<Record<"gateway" | "nginx" | "postgres" | "pgbouncer" | "redis", Service>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
}

export interface Composed extends AsyncDisposable {
  readonly gateways: readonly Sluice[];
  /** Where nginx listens. */
  readonly url: string;
  /** The text with the addresses of the running services in place of their names. */
  readonly withAddresses: (text: string) => string;
}

/**
 * The variables of which the entry point of edoburu/pgbouncer makes lines of the same names.
 * https://github.com/edoburu/docker-pgbouncer/blob/master/entrypoint.sh
 */
const PGBOUNCER_LINES: ReadonlySet<string> = new Set([
  ...["POOL_MODE", "MAX_CLIENT_CONN", "DEFAULT_POOL_SIZE", "MIN_POOL_SIZE", "RESERVE_POOL_SIZE"],
  ...["RESERVE_POOL_TIMEOUT", "MAX_DB_CONNECTIONS", "MAX_USER_CONNECTIONS", "MAX_PREPARED_STATEMENTS"],
  ...["STATS_USERS", "SERVER_RESET_QUERY", "SERVER_RESET_QUERY_ALWAYS", "SERVER_LIFETIME"],
  ...["SERVER_IDLE_TIMEOUT", "SERVER_CONNECT_TIMEOUT", "QUERY_WAIT_TIMEOUT", "CLIENT_IDLE_TIMEOUT"],
  ...["IDLE_TRANSACTION_TIMEOUT", "AUTH_TYPE"],
]);

/** The plan has to have PgBouncer and Redis. */
export async function startComposed({ text }: PlannedFolder): Promise<Composed> {
  await using stack = new AsyncDisposableStack();
  const { services, configs } = interpolated(
    parseYaml(text("compose.yaml")),
    parseEnv(text("secrets.env")),
  ) as ComposeFile;
  const addresses = new Map<string, string>();
  const withAddresses = (given: string) =>
    [...addresses].reduce((result, [name, address]) => result.replaceAll(name, address), given);

  const postgres = stack.use(
    await PostgresServer.start({ args: wordsAfter("postgres", services.postgres) }),
  );
  const { POSTGRES_USER: user, POSTGRES_PASSWORD: password } = services.postgres.environment!;
  // The last question by the password that the test server began with.
  await postgres.query(`CREATE DATABASE ${user} TEMPLATE template0 ENCODING 'UTF8'`);
  await postgres.query(`ALTER ROLE ${user} PASSWORD '${password}'`);
  addresses.set("@postgres:5432", `@127.0.0.1:${postgres.port}`);

  const files = pgbouncerFiles(services.pgbouncer, withAddresses);
  const pgbouncer = stack.use(await PgBouncer.start(postgres.port, { files }));
  addresses.set("@pgbouncer:6432", `@127.0.0.1:${pgbouncer.port}`);

  const redis = stack.use(await RedisServer.start({ args: wordsAfter("redis-server", services.redis) }));
  addresses.set("//redis:6379", `//127.0.0.1:${redis.port}`);

  const { env_file, environment, deploy } = services.gateway;
  const settings = Object.assign({}, ...env_file!.map((name) => parseEnv(text(name))), environment);
  const env = Object.fromEntries(
    Object.entries<string>(settings).map(([name, value]) => [name, withAddresses(value)]),
  );
  const gateways = await Promise.all(Array.from({ length: deploy!.replicas }, () => Sluice.start({ env })));
  for (const gateway of gateways) stack.use(gateway);

  const conf = configs[services.nginx.configs![0]!.source]!.content;
  const servers = gateways.map(({ port }) => `server 127.0.0.1:${port};`).join(" ");
  const nginx = stack.use(
    await startNginx((port) =>
      // Debian's nginx does not know `resolve` yet.
      replaced(
        replaced(conf, "listen 8080", `listen 127.0.0.1:${port}`),
        "server gateway:4444 resolve;",
        servers,
      )
    ),
  );
  const owned = stack.move();
  return { gateways, url: nginx.url, withAddresses, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** As Compose does with every text of the file: `$$`, and `${NAME:?message}`. */
function interpolated(value: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (typeof value === "string") {
    return value.replace(/\$(\$|\{(\w+):\?([^}]*)\})/g, (_, all: string, name: string, message: string) => {
      if (all === "$") return "$";
      const given = variables[name];
      if (!given) throw new Error(`required variable ${name} is missing a value: ${message}`);
      return given;
    });
  }
  if (Array.isArray(value)) return value.map((each) => interpolated(each, variables));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, interpolated(each, variables)]),
  );
}

function wordsAfter(program: string, { command }: Service): string[] {
  assertEquals(command![0], program);
  return command!.slice(1);
}

function pgbouncerFiles({ environment }: Service, withAddresses: (text: string) => string) {
  const { DATABASE_URL, LISTEN_PORT, ...lines } = environment!;
  assertEquals([LISTEN_PORT, Object.keys(lines).filter((name) => !PGBOUNCER_LINES.has(name))], ["6432", []]);
  const { username, password, hostname, port, pathname } = new URL(withAddresses(DATABASE_URL!));
  const ini = [
    "[databases]",
    `${pathname.slice(1)} = host=${hostname} port=${port} auth_user=${username}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    "listen_port = PORT",
    "unix_socket_dir =",
    "auth_file = USERS",
    "ignore_startup_parameters = extra_float_digits",
    "admin_users = postgres",
    ...Object.entries(lines).map(([name, value]) => `${name.toLowerCase()} = ${value}`),
  ];
  return { ini: `${ini.join("\n")}\n`, users: `"${username}" "${password}"\n` };
}

function replaced(text: string, from: string, to: string): string {
  assertEquals(text.split(from).length, 2, `${from} occurs once`);
  return text.replace(from, to);
}
