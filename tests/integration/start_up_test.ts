// Starting and stopping, as an operator meets it: clear errors, exit codes, nothing cut off.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { runCli } from "../support/cli.ts";
import { CONTEXTFORGE_TABLES } from "../support/contextforge_database.ts";
import { freePort } from "../support/free_port.ts";
import { serveOnLoopback } from "../support/loopback_server.ts";
import { open } from "../support/metric.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

/** The exit code and everything that was printed, of a gateway that should not start. */
async function failedStart(
  options: Parameters<typeof Sluice.spawn>[0],
): Promise<{ code: number; text: string }> {
  await using sluice = await Sluice.spawn(options);
  const code = await sluice.exit();
  return { code, text: sluice.stdout.tail() + sluice.stderr.tail() };
}

Deno.test("serve names every wrong setting at once, with the nearest right name, and ends with 2", async () => {
  const { code, text } = await failedStart({
    env: { WORKERS: "many", MCP_SESSION_POOL_ENABLD: "true", TOOL_TIMEOUT: "-1" },
  });
  assertEquals(code, 2);
  for (const part of ["WORKERS", "MCP_SESSION_POOL_ENABLED", "TOOL_TIMEOUT"]) {
    assertStringIncludes(text, part);
  }
});

Deno.test("serve warns of ContextForge's settings without effect at every LOG_LEVEL, the protections first", async () => {
  await using sluice = await Sluice.start({
    env: {
      LOG_LEVEL: "ERROR",
      PERFORMANCE_DEGRADATION_MULTIPLIER: "2",
      PLUGINS_ENABLED: "true",
      TRUST_PROXY_AUTH: "true",
    },
  });
  // With this LOG_LEVEL no line tells that the start is over.
  const warnings = await waitFor(() => {
    const found = sluice.log().filter(({ event }) => event === "setting");
    return found.length >= 3 && found.map(({ warning }) => String(warning).replace(/ In ContextForge.*/, ""));
  }, { what: "three warnings of settings" });
  // The environment has no order.
  assertEquals([...warnings.slice(0, 2).sort(), ...warnings.slice(2)], [
    "No effect: PLUGINS_ENABLED (environment).",
    "No effect: TRUST_PROXY_AUTH (environment).",
    "Settings of ContextForge without effect here (environment): PERFORMANCE_DEGRADATION_MULTIPLIER",
  ]);
});

Deno.test("serve names every wrong flag and ends with 2", async () => {
  const { code, text } = await failedStart({ args: ["--dmeo", "--wrokers", "2"] });
  assertEquals(code, 2);
  for (const part of ["--dmeo", "--demo", "--wrokers", "--workers"]) assertStringIncludes(text, part);
});

interface FailedStart {
  readonly name: string;
  /** Makes what is wrong in `folder`, the working folder. @returns undoes what does not go with the folder */
  readonly arrange?: (folder: string) => Promise<() => void>;
  readonly args?: readonly string[];
  readonly permissions?: readonly string[];
  readonly env?: (folder: string) => Record<string, string>;
  /** 1, or 2 where a setting is wrong in itself. */
  readonly code: number;
  /** Everything that is printed. */
  readonly text: (folder: string) => string;
}

const NOTHING_TO_UNDO = () => {};

async function write(path: string, content: string | Uint8Array): Promise<() => void> {
  if (typeof content === "string") await Deno.writeTextFile(path, content, { mode: 0o600 });
  else await Deno.writeFile(path, content);
  return NOTHING_TO_UNDO;
}

async function makeFolder(path: string): Promise<() => void> {
  await Deno.mkdir(path);
  return NOTHING_TO_UNDO;
}

/** A stranger's listener, which lets nobody share its port. */
const TAKEN_PORT = freePort();

function takePort(): Promise<() => void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: TAKEN_PORT });
  return Promise.resolve(() => listener.close());
}

const READ_ACCESS = "Correct the path, or put the file there";

const FAILED_STARTS: readonly FailedStart[] = [
  {
    name: "the database's folder is missing",
    env: () => ({ DATABASE_URL: "sqlite:////no/such/place/mcp.db", JWT_SECRET_KEY: "" }),
    code: 1,
    text: () =>
      "Cannot open the database /no/such/place/mcp.db: there is no folder /no/such/place. Create it, or change DATABASE_URL",
  },
  {
    name: "the database's folder is not writable",
    // Not even for root. Deno lets a program into this folder only with all permissions.
    permissions: ["-A"],
    env: () => ({ DATABASE_URL: "sqlite:////sys/mcp.db", JWT_SECRET_KEY: "" }),
    code: 1,
    text: () =>
      "Cannot open the database /sys/mcp.db: permission denied. Give the user that runs Sluice write access to the folder",
  },
  {
    name: "the database is a folder",
    arrange: (folder) => makeFolder(`${folder}/mcp.db`),
    code: 1,
    text: (folder) =>
      `Cannot open the database ${folder}/mcp.db: it is a directory. Name a file in DATABASE_URL`,
  },
  {
    name: "the database is no database",
    arrange: (folder) =>
      write(`${folder}/mcp.db`, "this is no database, however long one looks at it".repeat(100)),
    code: 1,
    text: (folder) =>
      `Cannot open the database ${folder}/mcp.db: it is not a SQLite database. Move the file away, or change DATABASE_URL`,
  },
  {
    name: "the database is locked",
    arrange: (folder) => {
      const database = new DatabaseSync(`${folder}/mcp.db`);
      database.exec("CREATE TABLE t (id INTEGER); BEGIN EXCLUSIVE");
      return Promise.resolve(() => database.close());
    },
    env: () => ({ DB_SQLITE_BUSY_TIMEOUT: "100" }),
    code: 1,
    text: (folder) =>
      `Cannot open the database ${folder}/mcp.db: another program keeps it locked for longer than DB_SQLITE_BUSY_TIMEOUT. ` +
      "Stop that program, or raise the limit",
  },
  {
    name: "DATABASE_URL has a mistake",
    env: () => ({
      DATABASE_URL: "postgresql://u:hush@h:99999/db",
      AUTH_ENCRYPTION_SECRET: crypto.randomUUID().repeat(2),
    }),
    code: 2,
    text: () => "DATABASE_URL: its port must be a number from 1 to 65535",
  },
  {
    name: "PostgreSQL is down",
    env: () => ({
      DATABASE_URL: "postgresql://u:hush@127.0.0.1:1/db",
      AUTH_ENCRYPTION_SECRET: crypto.randomUUID().repeat(2),
      DB_MAX_RETRIES: "0",
    }),
    code: 1,
    text: () =>
      "Cannot open the database 127.0.0.1:1/db: nothing listens there. Start the server, or correct the host and the port " +
      "in DATABASE_URL",
  },
  {
    name: "the secrets file lacks a secret",
    arrange: (folder) => write(`${folder}/mcp.db.secrets`, "JWT_SECRET_KEY=abc\n"),
    env: () => ({ JWT_SECRET_KEY: "" }),
    code: 1,
    text: (folder) =>
      `Cannot use the secrets file ${folder}/mcp.db.secrets: it has no JWT_SECRET_KEY and AUTH_ENCRYPTION_SECRET that can ` +
      "be used (at least 32 characters, and not a placeholder; make one by: openssl rand -base64 48). Restore the file from a backup, or set JWT_SECRET_KEY and AUTH_ENCRYPTION_SECRET in the environment",
  },
  {
    name: "JWT_SECRET_KEY is too short",
    env: () => ({ JWT_SECRET_KEY: "short" }),
    code: 2,
    text: () =>
      "JWT_SECRET_KEY=**** (environment): must be at least 32 characters, and not a placeholder; make one by: " +
      "openssl rand -base64 48",
  },
  {
    name: ".env is a folder",
    arrange: (folder) => makeFolder(`${folder}/.env`),
    code: 2,
    text: () => "Cannot read .env: it is a directory. Name a file, or move the directory away",
  },
  {
    name: ".env is UTF-16",
    arrange: (folder) => write(`${folder}/.env`, new Uint8Array([0xff, 0xfe, 0x50, 0, 0x3d, 0])),
    code: 2,
    text: () => "Cannot read .env: it is not UTF-8 text. Save it as UTF-8",
  },
  {
    name: "the port is taken",
    arrange: takePort,
    env: () => ({ PORT: String(TAKEN_PORT) }),
    code: 1,
    text: () =>
      `Cannot listen on 127.0.0.1:${TAKEN_PORT}: another program listens there. Stop that program, or choose another PORT`,
  },
  {
    name: "the port to take over is a stranger's",
    arrange: takePort,
    args: ["--takeover"],
    env: () => ({ PORT: String(TAKEN_PORT) }),
    code: 1,
    text: () =>
      `Cannot listen on 127.0.0.1:${TAKEN_PORT}: another program listens there. Stop that program, or choose another PORT`,
  },
  {
    name: "HOST is no address of this machine",
    env: () => ({ HOST: "192.0.2.7", PORT: "4444" }),
    code: 1,
    text: () =>
      "Cannot listen on 192.0.2.7:4444: this machine does not have the address 192.0.2.7. Set HOST to an address of this " +
      "machine, or to 0.0.0.0 for all of them",
  },
  {
    name: "SSL has no certificate",
    env: () => ({ SSL: "true" }),
    code: 2,
    text: () => "SSL=true needs CERT_FILE and KEY_FILE. Set both, or set SSL=false",
  },
  {
    name: "the certificate's file is missing",
    env: () => ({ SSL: "true", CERT_FILE: "none.pem", KEY_FILE: "none.pem" }),
    code: 1,
    text: () =>
      `Cannot serve HTTPS: CERT_FILE none.pem cannot be read: there is no such file. ${READ_ACCESS}`,
  },
  {
    name: "the certificate's file holds none",
    arrange: (folder) => write(`${folder}/nonsense.pem`, "nonsense"),
    env: () => ({ SSL: "true", CERT_FILE: "nonsense.pem", KEY_FILE: "nonsense.pem" }),
    code: 1,
    text: () =>
      "Cannot serve HTTPS: CERT_FILE nonsense.pem holds no certificate. Name a certificate chain in PEM format",
  },
  {
    name: "the authority of Redis is missing, which a worker reads",
    env: () => ({ CACHE_TYPE: "redis", REDIS_URL: "rediss://127.0.0.1:1/0", REDIS_SSL_CA_CERTS: "none.pem" }),
    code: 2,
    text: () => `REDIS_SSL_CA_CERTS none.pem cannot be read: there is no such file. ${READ_ACCESS}`,
  },
];

Deno.test("serve that cannot start says why and what to do, once, and ends with its exit code", async (t) => {
  for (const { name, arrange, args, permissions, env, code, text } of FAILED_STARTS) {
    await t.step(name, async () => {
      const folder = await Deno.makeTempDir({ prefix: "sluice_no_start_" });
      const undo = await arrange?.(folder);
      try {
        await using sluice = await Sluice.spawn({ cwd: folder, args, permissions, env: env?.(folder) });
        assertEquals(await sluice.exit(), code);
        assertEquals(sluice.stderr.lines, [`sluice: ${text(folder)}`]);
        assertEquals(sluice.log().filter(({ level }) => level === "ERROR"), []);
      } finally {
        undo?.();
        await Deno.remove(folder, { recursive: true });
      }
    });
  }
});

Deno.test("serve that cannot start for its database leaves no secrets behind", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_no_start_" });
  await Deno.writeTextFile(`${cwd}/mcp.db`, "this is no database, however long one looks at it".repeat(100));
  await using sluice = await Sluice.spawn({ cwd, env: { JWT_SECRET_KEY: "" } });
  assertEquals(await sluice.exit(), 1);
  assertEquals(Array.from(Deno.readDirSync(cwd), ({ name }) => name), ["mcp.db"]);
  await Deno.remove(cwd, { recursive: true });
});

Deno.test("serve refuses ContextForge's database in words, and leaves its folder as it was", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_foreign_db_" });
  const database = new DatabaseSync(`${cwd}/mcp.db`);
  database.exec("PRAGMA journal_mode = WAL");
  for (const text of CONTEXTFORGE_TABLES) database.exec(text);
  database.close();
  const before = await Deno.readFile(`${cwd}/mcp.db`);
  const { code, text } = await failedStart({ cwd, env: { JWT_SECRET_KEY: "", DATABASE_URL: "" } });
  assertEquals(code, 1);
  assertStringIncludes(text, "it is ContextForge's database");
  assertStringIncludes(text, "name another one in DATABASE_URL");
  assertEquals(Array.from(Deno.readDirSync(cwd), ({ name }) => name), ["mcp.db"]);
  assertEquals(await Deno.readFile(`${cwd}/mcp.db`), before);
  await Deno.remove(cwd, { recursive: true });
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} lets the call under way finish, and the exit code is 0`, async () => {
    await using sluice = await Sluice.start({ args: ["--demo"] });
    const slow = sluice.rpc("tools/call", { name: "echo", arguments: { message: "late", delay: 3_000 } });
    await waitFor(async () => (await open(sluice))[0] === 1, { what: "the call to be under way" });
    Deno.kill(sluice.pid, signal);
    const { status, body } = await slow;
    assertEquals([status, body.result?.content[0].text], [200, "late"]);
    assertEquals(await sluice.exit(), 0);
  });
}

Deno.test("The secrets of the first start are kept: tokens and stored credentials outlive a restart", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_secrets_" });
  let token: string | undefined;
  for (let start = 0; start < 2; start++) {
    await using sluice = await Sluice.start({ cwd, env: { JWT_SECRET_KEY: "" } });
    assertEquals((await Deno.stat(`${cwd}/mcp.db.secrets`)).mode! & 0o777, 0o600);
    token ??= (await runCli(["token", "--admin", "--exp", "5"], { cwd })).out.trim();
    assertEquals((await sluice.api("GET", "/gateways", undefined, token)).status, 200);
    assertEquals((await sluice.api("GET", "/gateways", undefined, `${token}x`)).status, 401);
  }
  assertEquals((await runCli(["token", "--nonsense"], { cwd })).code, 2);
  await Deno.remove(cwd, { recursive: true });
});

Deno.test("sluice health tells a gateway that works from one that does not, and from none", async () => {
  await using sluice = await Sluice.start();
  await using unwell = serveOnLoopback(() => Response.json({ status: "not ready" }, { status: 503 }));
  const cwd = await Deno.makeTempDir();
  const ask = (args: readonly string[], env: Record<string, string> = {}) =>
    runCli(["health", ...args], { cwd, env });
  const { port } = new URL(sluice.url);
  const [here, ready, ill, none] = await Promise.all([
    ask([], { PORT: port }),
    ask(["--ready", "--url", `${sluice.url}/`]),
    ask(["--url", `http://127.0.0.1:${unwell.addr.port}`]),
    ask([], { PORT: String(freePort()) }),
  ]);
  assertEquals([here.code, JSON.parse(here.out).status], [0, "healthy"]);
  assertEquals([ready.code, JSON.parse(ready.out).status], [0, "ready"]);
  assertEquals([ill.code, ill.out.trim()], [1, '{"status":"not ready"}']);
  assertEquals([none.code, none.out], [1, ""]);
  assertStringIncludes(none.err, "no gateway answers there");
});
