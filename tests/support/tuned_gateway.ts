// A gateway on PostgreSQL, PgBouncer and Redis, all with the files that `sluice tune` writes, as they are but for their ports.
import { assertEquals } from "@std/assert";
import { parse as parseEnv } from "@std/dotenv";
import { runCli } from "./cli.ts";
import { PgBouncer } from "./pgbouncer.ts";
import { PostgresServer } from "./postgres.ts";
import { RedisServer } from "./redis.ts";
import { Sluice, type SluiceOptions } from "./sluice.ts";

export interface PlannedFolder {
  readonly folder: string;
  readonly text: (name: string) => string;
}

/** Runs `sluice tune` with these flags into a temporary folder. */
export async function planned(...flags: string[]): Promise<PlannedFolder> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_tune_" });
  const { code, err } = await runCli(["tune", ...flags, "--out", folder], { cwd: folder });
  assertEquals([code, err], [0, ""]);
  return { folder, text: (name) => Deno.readTextFileSync(`${folder}/${name}`) };
}

export interface TunedGateway extends AsyncDisposable {
  readonly sluice: Sluice;
  /** What a command needs of the gateway's environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** The plan has to have PgBouncer and Redis. `more`: environment beside what the plan says. */
export async function startTuned(
  { folder, text }: PlannedFolder,
  { program, more = {} }: Pick<SluiceOptions, "program"> & {
    readonly more?: Readonly<Record<string, string>>;
  } = {},
): Promise<TunedGateway> {
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const secrets = parseEnv(text("secrets.env"));
  const postgres = stack.use(await PostgresServer.start({ conf: text("postgresql-sluice.conf") }));
  await postgres.query("CREATE DATABASE sluice TEMPLATE template0 ENCODING 'UTF8'");
  await postgres.query(`ALTER ROLE sluice PASSWORD '${secrets.POSTGRES_PASSWORD}'`);
  const ini = text("pgbouncer.ini").replace("port=5432", `port=${postgres.port}`)
    .replace("listen_port = 6432", "listen_port = PORT").replace("/etc/pgbouncer/userlist.txt", "USERS");
  const pgbouncer = stack.use(
    await PgBouncer.start(postgres.port, {
      // The socket of Debian's package needs its folder.
      files: { ini: `${ini}\nunix_socket_dir =\n`, users: text("userlist.txt") },
    }),
  );
  const redis = stack.use(await RedisServer.start({ conf: text("redis-sluice.conf") }));
  const env = {
    ...more,
    JWT_SECRET_KEY: secrets.JWT_SECRET_KEY!,
    AUTH_ENCRYPTION_SECRET: secrets.AUTH_ENCRYPTION_SECRET!,
    DATABASE_URL: secrets.DATABASE_URL!.replace(":6432/", `:${pgbouncer.port}/`),
    REDIS_URL: redis.url(),
  };
  const sluice = stack.use(
    await Sluice.start({ cwd: folder, env, ...(program === undefined ? {} : { program }) }),
  );
  const owned = stack.move();
  return { sluice, env, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
