import { assertEquals } from "@std/assert";
import { loadConfig } from "../../config/load.ts";
import { needsOf } from "./permissions.ts";

const folder = Deno.cwd();

function needs(environment: Record<string, string>) {
  const { config } = loadConfig({ environment, dotEnv: null, dev: false, overrides: {}, cores: 2 });
  return needsOf(config, null);
}

Deno.test("needsOf() names the database's files, and the settings files beside it and in the working folder", () => {
  const database = ["", "-wal", "-shm", "-journal"].map((suffix) => `/data/gateway.db${suffix}`);
  assertEquals(needs({ DATABASE_URL: "sqlite:////data/gateway.db" }), {
    read: [
      `${folder}/.env`,
      "/data/.env",
      ...database,
      "/data/gateway.db.secrets",
      "/data/gateway.db.last-backup",
    ],
    write: database,
    run: false,
  });
});

Deno.test("needsOf() names certificates and authorities, for PostgreSQL's connection too", () => {
  const files = {
    CERT_FILE: "cert.pem",
    KEY_FILE: "/tls/key.pem",
    REDIS_SSL_CA_CERTS: "/tls/redis.pem",
    REPLICA_SSL_CA_CERTS: "/tls/replica.pem",
    PROXY_SSL_CA_CERTS: "/tls/proxy.pem",
  };
  const DATABASE_URL = "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=/tls/postgres.pem";
  const authorities = ["/tls/redis.pem", "/tls/replica.pem", "/tls/proxy.pem"];
  assertEquals(needs({ ...files, DATABASE_URL, SSL: "true" }), {
    read: [`${folder}/.env`, "/tls/postgres.pem", `${folder}/cert.pem`, "/tls/key.pem", ...authorities],
    write: [],
    run: false,
  });
  assertEquals(needs({ ...files, DATABASE_URL }).read!.includes("/tls/key.pem"), false);
});

Deno.test("needsOf() names the file of exported audit records, but not standard output", () => {
  const written = (AUDIT_EXPORT_FILE: string) =>
    needs({
      AUDIT_EXPORT_FILE,
      DATABASE_URL: "postgresql://u:p@h/d",
      AUDIT_SYSLOG_CA_CERTS: "/tls/syslog.pem",
    });
  assertEquals(written("audit.jsonl").write, [`${folder}/audit.jsonl`]);
  assertEquals([written("-").write, written("-").read!.includes("/tls/syslog.pem")], [[], true]);
});

Deno.test("needsOf() names the directory of secrets, and lets a command print some without opening the disk", () => {
  const { read, run } = needs({ SECRETS_DIRECTORY: "/run/secrets", SECRET_COMMAND: "/bin/vault" });
  assertEquals([read?.includes("/run/secrets"), read?.includes("/bin/vault"), run], [true, false, true]);
});

Deno.test("needsOf() names a directory of secrets by its own path too, if a link leads there", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await Deno.mkdir(`${folder}/run`);
    await Deno.symlink(`${folder}/run`, `${folder}/link`);
    const { read } = needs({ SECRETS_DIRECTORY: `${folder}/link` });
    assertEquals(read!.filter((path) => path.startsWith(`${folder}/`)), [`${folder}/link`, `${folder}/run`]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("needsOf() leaves reading open where programs of upstreams are started", () => {
  for (const [name, value] of [["STDIO_ENABLED", "true"], ["MCP_CONFIG", "/home/me/.mcp.json"]]) {
    const { read, run } = needs({ [name!]: value! });
    assertEquals([read, run], [null, true]);
  }
});
