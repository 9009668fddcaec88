import { assertEquals } from "@std/assert";
import { configKey, SETTINGS } from "./schema.ts";
import type { Setting } from "./settings/setting.ts";

function accepts(setting: Setting, text: string): boolean {
  return setting.kind.schema.safeParse(text).success;
}

function named(name: string): Setting {
  return SETTINGS.find((setting) => setting.name === name)!;
}

Deno.test("SETTINGS have names and aliases that occur once", () => {
  const names = SETTINGS.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  assertEquals(names.filter((name, index) => names.indexOf(name) !== index), []);
  assertEquals(names.filter((name) => !/^[A-Z][A-Z0-9_]*$/.test(name)), []);
});

Deno.test("SETTINGS have defaults that they accept themselves", () => {
  const wrong = SETTINGS.filter((setting) =>
    setting.default !== null && !(setting.auto && setting.default === "auto") &&
    !accepts(setting, setting.default)
  );
  assertEquals(wrong.map(({ name }) => name), []);
});

Deno.test("SETTINGS that are inert give a reason that can stand after a colon", () => {
  const isReason = (doc: string) => /^([a-z]|Deno)/.test(doc) && !doc.endsWith(".");
  const wrong = SETTINGS.filter(({ state, doc }) => state === "inert" && !isReason(doc));
  assertEquals(wrong.map(({ name }) => name), []);
});

Deno.test("SETTINGS that are numbers take no negative and no absurd ones", () => {
  const mayBeNegative = ["UNHEALTHY_THRESHOLD"];
  for (
    const setting of SETTINGS.filter(({ default: text, state }) =>
      /^\d/.test(text ?? "") && state !== "inert"
    )
  ) {
    if (
      setting.name === "HOST" || setting.kind.accepts.startsWith("one of") || setting.name.startsWith("SSRF_")
    ) continue;
    const bad = ["1e999", "99999999999999", "NaN", "0x10", "1 2", "five"];
    if (!mayBeNegative.includes(setting.name)) bad.push("-1");
    for (const text of bad) {
      assertEquals([setting.name, text, accepts(setting, text)], [setting.name, text, false]);
    }
  }
});

Deno.test("SETTINGS take zero only where it means something", () => {
  const takeZero = SETTINGS.filter((setting) =>
    setting.state !== "inert" && /^\d/.test(setting.default ?? "") && accepts(setting, "0")
  ).map(({ name }) => name);
  assertEquals(takeZero, [
    "HOST",
    "PORT",
    "GRACEFUL_TIMEOUT",
    "MAX_REQUESTS",
    "MAX_REQUESTS_JITTER",
    "WORKER_MAX_HEAP_MB",
    "DB_MAX_OVERFLOW",
    "DB_MAX_RETRIES",
    "RESPONSE_CACHE_TTL",
    "REDIS_HEALTH_CHECK_INTERVAL",
    "JWKS_GRACE",
    "MAX_FAILED_LOGIN_ATTEMPTS",
    "FAILED_LOGIN_MIN_RESPONSE_MS",
    "RATE_LIMIT_MEDIUM_BURST",
    "RATE_LIMIT_HIGH_BURST",
    "RATE_LIMIT_LOW_BURST",
    "STREAM_RESUME_WINDOW",
    "MCP_LIST_PAGE_SIZE",
    "MCP_SESSION_POOL_HEALTH_CHECK_INTERVAL",
    "MCP_SESSION_POOL_MAX_TOTAL_KEYS",
    "MCP_SESSION_POOL_MAX_TOTAL_SESSIONS",
    "HTTP_CLIENT_MAX_KEEPALIVE_CONNECTIONS",
    "STDIO_IDLE_TIMEOUT",
    "UNHEALTHY_THRESHOLD",
    "SILENT_UPSTREAM_REFRESH_INTERVAL",
    "LOG_BUFFER_SIZE_MB",
    "TRACE_SLOW_CALLS",
  ]);
});

Deno.test("configKey() gives the canonical name in camelCase, durations with Ms, inert settings none", () => {
  const rows: ReadonlyArray<[name: string, key: string | null]> = [
    ["HOST", "host"],
    ["TOOL_TIMEOUT", "toolTimeoutMs"],
    ["DB_SQLITE_BUSY_TIMEOUT", "dbSqliteBusyTimeoutMs"],
    ["MAX_BODY_BYTES", "maxBodyBytes"],
    ["HTTP_CLIENT_HTTP2_ENABLED", "httpClientHttp2Enabled"],
    ["WORKER_MAX_HEAP_MB", "workerMaxHeapMb"],
    ["GRANIAN_LOOP", null],
  ];
  for (const [name, key] of rows) assertEquals(configKey(named(name)), key);
});

Deno.test("DATABASE_URL takes SQLite files in the spellings of SQLAlchemy", () => {
  const good = [
    "sqlite:///./mcp.db",
    "sqlite:///mcp.db",
    "sqlite:////var/lib/mcp.db",
    "sqlite+aiosqlite:///a.db",
    "sqlite:///a.db?x=1",
    "postgres://u@h/d",
    "postgresql://u:p@h:5432/d?sslmode=require",
    "postgresql+psycopg://u:p/#?@pgbouncer:6432/mcp",
  ];
  const bad = [
    "",
    "mcp.db",
    "sqlite://mcp.db",
    "sqlite:///",
    "sqlite:////",
    "sqlite:///:memory:",
    "sqlite:///dir/",
    "postgresql://h/d",
    "postgresql://u:p@h",
    "postgresql://u:p@/d",
    "postgresql://u:p@ss@h/d",
  ];
  for (const text of good) assertEquals([text, accepts(named("DATABASE_URL"), text)], [text, true]);
  for (const text of bad) assertEquals([text, accepts(named("DATABASE_URL"), text)], [text, false]);
});

Deno.test("ALLOWED_ORIGINS takes origins and nothing longer", () => {
  const { schema } = named("ALLOWED_ORIGINS").kind;
  assertEquals(schema.parse("HTTPS://App.example.com:443/, http://localhost:4444,*"), [
    "https://app.example.com",
    "http://localhost:4444",
    "*",
  ]);
  for (const text of ["app.example.com", "https://a/b", "ftp://a", "https://a?b"]) {
    assertEquals([text, schema.safeParse(text).success], [text, false]);
  }
});

Deno.test("REPLICA_ADDRESS takes what another replica can connect to", () => {
  const setting = named("REPLICA_ADDRESS");
  const good = ["pod-1", "pod-1.ns.svc:80", "10.0.0.7", "10.0.0.7:4444", "[2001:db8::8]", "[2001:db8::8]:81"];
  const bad = [
    "http://pod-1",
    "pod-1:99999",
    "pod-1:0",
    "10.0.0.256",
    "[2001:db8::x]",
    "[::1]:70000",
    "2001:db8::8",
  ];
  assertEquals([...good, ...bad].filter((text) => accepts(setting, text)), good);
});
