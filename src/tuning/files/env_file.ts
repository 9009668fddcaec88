// .env of the gateway, and the file of its secrets.
import type { Plan } from "../tuning_plan.ts";
import { comment, figureLines, fileOf, type PlannedFile } from "./planned_lines.ts";

/** Random texts, made where a plan is written. */
export interface PlannedSecrets {
  readonly jwtSecretKey: string;
  readonly authEncryptionSecret: string;
  /** Of letters and digits: it stands in URLs. */
  readonly postgresPassword: string;
}

export function envFile(plan: Plan): PlannedFile {
  return {
    name: ".env",
    text: fileOf(
      headOf(plan),
      plan.surroundings.redis ? ["", "REDIS_URL=redis://127.0.0.1:6379/0"] : [],
      figureLines(plan.settings, "="),
    ),
    use: "in the folder that the gateway runs in",
  };
}

/** The address of the database for the gateway. */
export function databaseUrl(
  { surroundings: { database } }: { readonly surroundings: Pick<Plan["surroundings"], "database"> },
  password: string,
  host: string,
): string {
  return database === "pgbouncer"
    ? `postgresql://sluice:${password}@${host}:6432/sluice?pgbouncer=true`
    : `postgresql://sluice:${password}@${host}:5432/sluice`;
}

/** What replicas share and nobody else may know; empty with SQLite, where the first start makes secrets beside the database. */
export function secretFiles(plan: Plan, secrets: PlannedSecrets): PlannedFile[] {
  const { database } = plan.surroundings;
  if (database === "sqlite") return [];
  const { postgresPassword } = secrets;
  const env: PlannedFile = {
    name: "secrets.env",
    text: fileOf(
      comment(
        "Secrets: the same for every replica, and in no repository. systemd reads this file by EnvironmentFile, compose by --env-file; " +
          "for Kubernetes: kubectl create secret generic sluice --from-env-file=secrets.env",
      ),
      [
        `JWT_SECRET_KEY=${secrets.jwtSecretKey}`,
        `AUTH_ENCRYPTION_SECRET=${secrets.authEncryptionSecret}`,
        `POSTGRES_PASSWORD=${postgresPassword}`,
        `DATABASE_URL=${databaseUrl(plan, postgresPassword, "127.0.0.1")}`,
      ],
    ),
    use: "the environment of every replica",
    isSecret: true,
  };
  if (database !== "pgbouncer") return [env];
  const users = `"sluice" "${postgresPassword}"\n`;
  return [env, {
    name: "userlist.txt",
    text: users,
    use: "/etc/pgbouncer/userlist.txt, of PgBouncer's user",
    isSecret: true,
  }];
}

/** The files with secrets of an earlier plan; null: there is no such file. */
export type FormerSecrets = Readonly<Record<"secrets.env" | "userlist.txt", string | null>>;

/** The secrets that an earlier plan has made, as far as its files have them. */
export function formerSecrets(former: FormerSecrets): Partial<PlannedSecrets> {
  const found = (file: keyof FormerSecrets, pattern: RegExp) => pattern.exec(former[file] ?? "")?.[1];
  const password = found("secrets.env", /^POSTGRES_PASSWORD=(\S+)$/m) ??
    found("userlist.txt", /^"sluice" "([^"]+)"$/m);
  const secrets: Record<keyof PlannedSecrets, string | undefined> = {
    jwtSecretKey: found("secrets.env", /^JWT_SECRET_KEY=(\S+)$/m),
    authEncryptionSecret: found("secrets.env", /^AUTH_ENCRYPTION_SECRET=(\S+)$/m),
    postgresPassword: password,
  };
  return Object.fromEntries(Object.entries(secrets).filter(([, secret]) => secret !== undefined));
}

/** A file of an earlier plan for this one: an address of the database that the other plan has written becomes that of this plan. */
export function keptForPlan(plan: Plan, text: string, { postgresPassword }: PlannedSecrets): string {
  const urlOf = (database: "postgres" | "pgbouncer") =>
    `DATABASE_URL=${databaseUrl({ surroundings: { database } }, postgresPassword, "127.0.0.1")}`;
  const { database } = plan.surroundings;
  if (database === "sqlite") return text;
  const other = urlOf(database === "pgbouncer" ? "postgres" : "pgbouncer");
  return text.split("\n").map((line) => line === other ? urlOf(database) : line).join("\n");
}

function headOf({ load, demand, shortfalls }: Plan): string[] {
  const { users, replicas, vcpu, ramMb, latencyMs, thinkMs } = load;
  const pause = thinkMs === 0 ? "without a pause" : `each calling ${thinkMs} ms after an answer`;
  return [
    ...comment(
      `Settings of Sluice for ${users} user${
        users === 1 ? "" : "s"
      }, ${pause}, and upstreams that take ${latencyMs} ms: ${
        Math.round(demand.callsPerSecond)
      } calls a second. Written by \`sluice tune\`.`,
    ),
    ...comment(
      `${replicas === 1 ? "One replica" : `${replicas} replicas, each`} of ${vcpu} vCPU and ${ramMb} MiB${
        replicas === 1 ? "" : "; one of them may be away"
      }. The calls take ${
        Math.ceil(100 * demand.processorShare)
      } % of its processors, the users about ${demand.memoryMb} MiB.`,
    ),
    ...comment(
      '"The guide" is ContextForge\'s Gateway Tuning Guide. "Measured" are figures of this program.',
    ),
    ...shortfalls.flatMap((shortfall) => comment(`Attention: ${shortfall}`)),
  ];
}
