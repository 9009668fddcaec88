// postgresql.conf and pgbouncer.ini.
import type { Plan } from "../tuning_plan.ts";
import { comment, figureLines, fileOf, type PlannedFile } from "./planned_lines.ts";

export function postgresFile({ postgres, files }: Plan): PlannedFile[] {
  if (postgres.length === 0) return [];
  const quoted = postgres.map((figure) => ({ ...figure, value: `'${figure.value}'` }));
  return [{
    name: "postgresql-sluice.conf",
    text: fileOf(
      comment(
        "PostgreSQL for the gateway. Copy to conf.d of the server, and restart it. The database: CREATE ROLE sluice LOGIN PASSWORD " +
          "'POSTGRES_PASSWORD of secrets.env'; CREATE DATABASE sluice OWNER sluice TEMPLATE template0 ENCODING 'UTF8';",
      ),
      comment(
        `Open files: LimitNOFILE=${files.postgres} (systemctl edit postgresql@), the guide's, or twice max_connections.`,
      ),
      figureLines(quoted, " = "),
    ),
    use: "/etc/postgresql/VERSION/main/conf.d/",
  }];
}

export function pgbouncerFile({ pgbouncer, files }: Plan): PlannedFile[] {
  if (pgbouncer.length === 0) return [];
  return [{
    name: "pgbouncer.ini",
    text: fileOf(
      comment(
        `PgBouncer between the gateway and PostgreSQL. Open files: LimitNOFILE=${files.pgbouncer} (systemctl edit pgbouncer), the ` +
          "guide's, or max_client_conn + max_db_connections + 100.",
      ),
      [
        "[databases]",
        "sluice = host=127.0.0.1 port=5432 dbname=sluice",
        "",
        "[pgbouncer]",
        "listen_addr = 127.0.0.1",
        "listen_port = 6432",
        "auth_type = scram-sha-256",
        "# Its user has to read the file: install -o postgres -m 600 userlist.txt /etc/pgbouncer/",
        "auth_file = /etc/pgbouncer/userlist.txt",
        "# `sluice doctor` reads the limits as this user.",
        "stats_users = sluice",
      ],
      figureLines(pgbouncer, " = "),
    ),
    use: "/etc/pgbouncer/pgbouncer.ini",
  }];
}
