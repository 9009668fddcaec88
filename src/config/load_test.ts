import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { COMMON_ENVIRONMENT } from "../../tests/support/common_environment.ts";
import { CONTEXTFORGE_NAMES } from "../../tests/support/contextforge_names.ts";
import { SluiceError } from "../base/errors.ts";
import { loadConfig, type Loaded, type LoadInput } from "./load.ts";
import { type ConfigKey, configKey, SETTINGS } from "./schema.ts";
import type { Setting } from "./settings/setting.ts";

const SECRET = "pX2mV7qLr9TzKd4WnYb8HsGc3FjE6aUh";

function load(input: Partial<LoadInput> = {}): Loaded {
  return loadConfig({ environment: {}, dotEnv: null, dev: false, overrides: {}, cores: 4, ...input });
}

/** The mistakes that loadConfig() reports. */
function mistakes(input: Partial<LoadInput>): string[] {
  const error = assertThrows(() => load(input), SluiceError);
  assertEquals(error.code, "SETTINGS_INVALID");
  assertEquals(error.message, (error.data as string[]).join("\n"));
  return error.data as string[];
}

Deno.test("loadConfig() gives the defaults where nothing is set", () => {
  const { config, sources, warnings, ignored } = load();
  assertEquals([config.host, config.port, config.workers], ["0.0.0.0", 4444, 4]);
  assertEquals([config.toolTimeoutMs, config.mcpSessionPoolTtlMs, config.dbSqliteBusyTimeoutMs], [
    60_000,
    300_000,
    5000,
  ]);
  assertEquals([config.jwtSecretKey, config.certFile], [null, null]);
  assertEquals(config.mcpSessionPoolHealthCheckMethods, ["ping", "skip"]);
  assertEquals(config.ssrfAllowedNetworks, []);
  assertEquals(sources.PORT, { from: "default", name: "PORT", text: "4444" });
  assertEquals([warnings, ignored], [[], []]);
});

Deno.test("loadConfig() gives plain data with one key for every setting that is not inert", () => {
  const { config, sources } = load();
  assertEquals(structuredClone(config), config);
  const keys = SETTINGS.map(configKey).filter((key): key is ConfigKey => key !== null);
  assertEquals(Object.keys(config).sort(), [...keys].sort());
  assertEquals(Object.keys(sources).sort(), SETTINGS.map(({ name }) => name).sort());
  assertEquals(Object.entries(config).filter(([, value]) => value === undefined), []);
});

Deno.test("loadConfig() lets flags win over the environment, that over .env, that over development, that over defaults", () => {
  const from = (input: Partial<LoadInput>) => {
    const { config, sources } = load(input);
    return [config.workers, sources.WORKERS.from, sources.WORKERS.name];
  };
  const dev = { dev: true, cores: 1 };
  const dotEnv = { ...dev, dotEnv: "WORKERS=5\n" };
  const environment = { ...dotEnv, environment: { GRANIAN_WORKERS: "6" } };
  assertEquals(from({ cores: 1 }), [1, "default", "WORKERS"]);
  assertEquals(from(dev), [2, "dev", "WORKERS"]);
  assertEquals(from(dotEnv), [5, ".env", "WORKERS"]);
  assertEquals(from(environment), [6, "environment", "GRANIAN_WORKERS"]);
  assertEquals(from({ ...environment, overrides: { WORKERS: "7" } }), [7, "flag", "--workers"]);
});

Deno.test("loadConfig() reads the .env in the database's folder, and lets ./.env and the environment win over it", () => {
  const asked: string[] = [];
  const readDatabaseDotEnv = (databaseUrl: string) => {
    asked.push(databaseUrl);
    const text =
      "WORKERS=4\nPORT=1234\nLOG_LEVEL=DEBUG\nDATABASE_URL=sqlite:////else/where.db\nNOT_OURS_AT_ALL=1";
    return { path: "/data/.env", text };
  };
  const environment = { DATABASE_URL: "sqlite:////data/mcp.db", WORKERS: "6" };
  const loaded = load({ environment, dotEnv: "WORKERS=5\nPORT=4321", readDatabaseDotEnv });
  const { config, sources } = loaded;
  assertEquals([config.workers, config.port, config.logLevel], [6, 4321, "DEBUG"]);
  assertEquals([sources.PORT.from, sources.LOG_LEVEL.from], [".env", ".env beside the database"]);
  assertEquals([config.databaseUrl, asked], ["sqlite:////data/mcp.db", ["sqlite:////data/mcp.db"]]);
  assertEquals(loaded.databaseDotEnv, "/data/.env");
  assertEquals(loaded.ignored, [
    { name: "NOT_OURS_AT_ALL", from: ".env beside the database", kind: "unknown", reason: null },
  ]);
  assertEquals(loaded.warnings, [
    "Not settings of this gateway, ignored (.env beside the database): NOT_OURS_AT_ALL",
  ]);

  load({ dotEnv: "DATABASE_URL=sqlite:///./other/mcp.db", readDatabaseDotEnv });
  load({ readDatabaseDotEnv });
  assertEquals(asked.slice(1), ["sqlite:///./other/mcp.db", "sqlite:///./mcp.db"]);
  assertEquals(
    mistakes({ readDatabaseDotEnv: () => ({ path: "/data/.env", text: "WORKERS=many" }) })[0].split(":")[0],
    "WORKERS=many (.env beside the database)",
  );
});

Deno.test("loadConfig() resolves WORKERS=auto to the cores, at most 16", () => {
  assertEquals([1, 3, 16, 64].map((cores) => load({ cores }).config.workers), [1, 3, 16, 16]);
  const { config } = load({ dotEnv: "WORKERS=Auto", environment: { BACKPRESSURE: "AUTO" }, cores: 3 });
  assertEquals([config.workers, config.backpressure], [3, "auto"]);
  assertEquals([2, 3, 64].map((cores) => load({ cores, dev: true }).config.workers), [2, 3, 16]);
});

Deno.test("loadConfig() allows upstreams on localhost in development only", () => {
  assertEquals([false, true].map((dev) => load({ dev }).config.ssrfAllowLocalhost), [false, true]);
});

Deno.test("loadConfig() reads names in any case and every alias", () => {
  const { config, sources } = load({ environment: { port: "81", httpx_read_timeout: "120.5" } });
  assertEquals([config.port, config.httpClientReadTimeoutMs], [81, 120_500]);
  assertEquals(sources.HTTP_CLIENT_READ_TIMEOUT.name, "httpx_read_timeout");
  for (const setting of SETTINGS) {
    for (const alias of setting.aliases ?? []) {
      const text = setting.default!;
      assertEquals(load({ environment: { [alias]: text } }).sources[setting.name as "PORT"].name, alias);
    }
  }
});

Deno.test("loadConfig() takes an empty value for not set", () => {
  const { config, sources } = load({
    environment: { PORT: "", JWT_SECRET_KEY: " " },
    dotEnv: "PORT=82\nHOST=\n",
  });
  assertEquals([config.port, sources.PORT.from, config.jwtSecretKey, config.host], [
    82,
    ".env",
    null,
    "0.0.0.0",
  ]);
});

Deno.test("loadConfig() gives TOOL_TIMEOUT the value of MCP_SESSION_POOL_TRANSPORT_TIMEOUT, where only that is given", () => {
  const rows: [text: string, toolMs: number, transportMs: number][] = [
    ["", 60_000, 30_000],
    ["MCP_SESSION_POOL_TRANSPORT_TIMEOUT=10", 10_000, 10_000],
    ["MCP_SESSION_POOL_TRANSPORT_TIMEOUT=30", 30_000, 30_000],
    ["TOOL_TIMEOUT=45", 45_000, 30_000],
    ["TOOL_TIMEOUT=45\nMCP_SESSION_POOL_TRANSPORT_TIMEOUT=10", 45_000, 10_000],
    ["TOOL_TIMEOUT=\nMCP_SESSION_POOL_TRANSPORT_TIMEOUT=10", 10_000, 10_000],
  ];
  for (const [dotEnv, toolMs, transportMs] of rows) {
    const { config } = load({ dotEnv });
    assertEquals(
      [config.toolTimeoutMs, config.mcpSessionPoolTransportTimeoutMs],
      [toolMs, transportMs],
      dotEnv,
    );
  }
  assertEquals(mistakes({ dotEnv: "MCP_SESSION_POOL_TRANSPORT_TIMEOUT=-1" }).length, 1);
});

Deno.test("loadConfig() reports every mistake at once, with value, place and what would be right", () => {
  const lines = mistakes({
    environment: { PORT: "99999", GRANIAN_WORKERS: "0", MCP_SESSION_POOL_TTLS: "3" },
    dotEnv: "TOOL_TIMEOUT=-1\nAUTH_REQIRED=false\n",
    overrides: { HOST: "a b" },
  });
  assertEquals(lines, [
    "MCP_SESSION_POOL_TTLS (environment): unknown setting; did you mean MCP_SESSION_POOL_TTL?",
    "AUTH_REQIRED (.env): unknown setting; did you mean AUTH_REQUIRED?",
    "--host=a b (flag): must be an IP address or a host name",
    "PORT=99999 (environment): must be a whole number from 0 to 65535 (0: any free port)",
    "GRANIAN_WORKERS=0 (environment, alias of WORKERS): must be a whole number from 1 to 256 " +
    "(or auto: one per core, at most 16)",
    "TOOL_TIMEOUT=-1 (.env): must be a number of seconds from 0.001 to 2073600",
  ]);
});

Deno.test("loadConfig() never shows a secret", () => {
  const lines = mistakes({
    environment: {
      JWT_SECRET_KEY: "hush-short",
      DATABASE_URL: "mysql://u:hush@h/d",
      REDIS_URL: "rediz://:hush@h",
      auth_encryption_secret: `${SECRET}hush`,
      AUTH_ENCRYPTION_SECRET: SECRET,
    },
  });
  assertEquals(lines.length, 4);
  assertEquals(lines.filter((line) => line.includes("hush") || line.includes(SECRET)), []);
});

Deno.test("loadConfig() takes secrets of 32 characters and more, placeholders excepted", () => {
  assertEquals(load({ environment: { JWT_SECRET_KEY: SECRET } }).config.jwtSecretKey, SECRET);
  for (const bad of [SECRET.slice(1), "__REPLACE_ME__run_init-secrets_before_starting"]) {
    assertEquals(mistakes({ environment: { JWT_SECRET_KEY: bad } }).length, 1);
  }
});

Deno.test("loadConfig() warns of a secret that can be guessed, and refuses it with PostgreSQL or Redis", () => {
  const weak = { JWT_SECRET_KEY: "changeme".repeat(5), AUTH_ENCRYPTION_SECRET: SECRET };
  const words =
    "JWT_SECRET_KEY=**** (environment): can be guessed, because it consists of words, sequences or " +
    "repetitions; make one by: openssl rand -base64 48";
  assertEquals(load({ environment: weak }).warnings, [words]);
  const clusters: Record<string, string>[] = [
    { CACHE_TYPE: "redis" },
    { DATABASE_URL: "postgresql://u:p@h/db" },
  ];
  for (const cluster of clusters) assertEquals(mistakes({ environment: { ...weak, ...cluster } }), [words]);
  const both = { JWT_SECRET_KEY: "x".repeat(40), AUTH_ENCRYPTION_SECRET: "y".repeat(40) };
  assertEquals(load({ environment: both }).warnings.length, 2);
  assertEquals(load({ environment: { ...both, JWT_SECRET_KEY: SECRET } }).warnings.length, 1);
});

Deno.test("loadConfig() refuses two names of one setting that differ within a layer, and only those", () => {
  assertEquals(mistakes({ environment: { WORKERS: "4", GUNICORN_WORKERS: "8" } }), [
    "WORKERS=4 and GUNICORN_WORKERS=8 (environment): both set WORKERS, to different values",
  ]);
  assertEquals(load({ environment: { WORKERS: "4", GUNICORN_WORKERS: "4.0" } }).config.workers, 4);
  const { config, sources } = load({ environment: { GUNICORN_WORKERS: "8" }, dotEnv: "WORKERS=4" });
  assertEquals([config.workers, sources.WORKERS.from], [8, "environment"]);
});

Deno.test("loadConfig() prefers the canonical name over an alias", () => {
  const { sources } = load({ environment: { GRANIAN_WORKERS: "4", workers: "4" } });
  assertEquals(sources.WORKERS.name, "workers");
});

Deno.test("loadConfig() warns of unknown names in .env, and in the environment of our families only", () => {
  const { warnings, ignored } = load({
    environment: { HOME: "/root", LC_ALL: "C", HOSTNAME: "x", GRANIAN_LOG_LEVEL: "x", XPORT: "x" },
    dotEnv: "SOMETHING_ELSE=true\n",
  });
  assertEquals(ignored.map(({ name, from, kind }) => [name, from, kind]), [
    ["GRANIAN_LOG_LEVEL", "environment", "unknown"],
    ["SOMETHING_ELSE", ".env", "unknown"],
  ]);
  assertEquals(warnings, [
    "Not settings of this gateway, ignored (environment): GRANIAN_LOG_LEVEL",
    "Not settings of this gateway, ignored (.env): SOMETHING_ELSE",
  ]);
});

Deno.test("loadConfig() takes a .env with hundreds of foreign names in one warning", () => {
  const dotEnv = Array.from({ length: 700 }, (_, n) => `FOREIGN_THING_${n}=${n}`).join("\n");
  const { warnings } = load({ dotEnv: `${dotEnv}\nREDIS_SSL=false\n` });
  assertEquals(warnings.length, 2);
  assertEquals(warnings[1].endsWith("and 680 more (`sluice config` names them all)"), true);
});

Deno.test("loadConfig() says which of the given settings have no effect", () => {
  const { warnings } = load({ environment: { GRANIAN_LOOP: "uvloop" } });
  assertEquals(warnings, [
    "GRANIAN_LOOP has no effect: Deno has one event loop, built in",
  ]);
});

Deno.test("loadConfig() reports a misspelt short name in the environment", () => {
  assertEquals(mistakes({ environment: { WROKERS: "4", REDIS_URLS: "x", CACHE_TYPE2: "x", PROT: "80" } }), [
    "WROKERS (environment): unknown setting; did you mean WORKERS?",
    "REDIS_URLS (environment): unknown setting; did you mean REDIS_URL?",
    "CACHE_TYPE2 (environment): unknown setting; did you mean CACHE_TYPE?",
    "PROT (environment): unknown setting; did you mean PORT?",
  ]);
  assertEquals(load({ environment: { HOSTS: "x", REDIS_HOME: "x", FTP_PROXY: "x" } }).ignored, []);
});

Deno.test("loadConfig() refuses no environment of common names, and warns of those that resemble a setting", () => {
  const known = new Set(SETTINGS.flatMap(({ name, aliases = [] }) => [name, ...aliases]));
  const names = COMMON_ENVIRONMENT.filter((name) => !known.has(name.toUpperCase()));
  const similar = load({ environment: Object.fromEntries(names.map((name) => [name, "x"])) }).ignored;
  assertEquals(similar.map(({ kind }) => kind).every((kind) => kind === "similar"), true);
  assertEquals(similar.map(({ name }) => name).toSorted(), [
    "ALLOWED_ORIGIN",
    "CERTFILE",
    "CGO_ENABLED",
    "DATABASE_SSL",
    "DATABASE_URI",
    "DEVMODE",
    "KEYFILE",
    "LOGFORMAT",
    "LOGLEVEL",
    "REDIS_URI",
    "UVICORN_WORKERS",
    "WORKER",
  ]);
});

Deno.test("loadConfig() refuses no environment that Kubernetes or another program makes", () => {
  const word = fc.constantFrom(
    "REDIS",
    "POSTGRES",
    "GATEWAY",
    "MCP",
    "CACHE",
    "SESSION",
    "LOG",
    "API",
    "HTTP",
    "WORKER",
  );
  const service = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join("_"));
  const suffix = fc.constantFrom(
    "SERVICE_HOST",
    "SERVICE_PORT",
    "SERVICE_PORT_HTTP",
    "PORT",
    "PORT_80_TCP",
    "PORT_80_TCP_ADDR",
  );
  const made = fc.tuple(service, suffix).map((parts) => parts.join("_"));
  const name = fc.oneof(
    made,
    fc.constantFrom(...COMMON_ENVIRONMENT.filter((each) => !/^(host|(https?|all|no)_proxy)$/i.test(each))),
  );
  fc.assert(
    fc.property(fc.dictionary(name, fc.string()), (environment) => {
      load({ environment });
    }),
    { numRuns: 300 },
  );
});

Deno.test("loadConfig() takes NO_PROXY as other programs write it", () => {
  const from = (text: string) => load({ environment: { no_proxy: text } }).config.noProxy;
  assertEquals(from("[::1],localhost"), ["[::1]", "localhost"]);
  assertEquals(from("["), ["["]);
  assertEquals(from('["::1","localhost"]'), ["::1", "localhost"]);
});

Deno.test("loadConfig() tells of ContextForge's settings in the environment, the protections first", () => {
  const { warnings, ignored } = load({
    environment: {
      UI_BASE_URL: "https://gateway.example",
      LOG_REQUESTS: "true",
      CORS_ALLOW_CREDENTIALS: "true",
      PLUGINS_ENABLED: "true",
      PLUGINS_CONFIG_FILE: "plugins.yaml",
      AUTH_HEADER_NAME: "X-Token",
      TRUST_PROXY_AUTH: "false",
      SSO_ENABLED: "",
      ENVIRONMENT: "production",
      LOGLEVEL: "info",
    },
  });
  assertEquals(ignored.map(({ name, kind }) => `${kind} ${name}`), [
    "protection CORS_ALLOW_CREDENTIALS",
    "protection PLUGINS_ENABLED",
    "protection PLUGINS_CONFIG_FILE",
    "protection AUTH_HEADER_NAME",
    "similar LOGLEVEL",
    "contextforge UI_BASE_URL",
    "contextforge LOG_REQUESTS",
    "contextforge TRUST_PROXY_AUTH",
  ]);
  assertEquals(warnings.map((warning) => warning.replace(/In ContextForge.*$/, "…")), [
    "No effect: CORS_ALLOW_CREDENTIALS (environment). …",
    "No effect: PLUGINS_ENABLED, PLUGINS_CONFIG_FILE (environment). …",
    "No effect: AUTH_HEADER_NAME (environment). …",
    "No effect: LOGLEVEL (environment). Did you mean LOG_LEVEL?",
    "Settings of ContextForge without effect here (environment): UI_BASE_URL, LOG_REQUESTS, TRUST_PROXY_AUTH",
  ]);
  assertEquals(
    warnings[1].endsWith(
      "In ContextForge: runs plugins that filter calls and results. Here: the gateway has no plugins, and nothing is filtered.",
    ),
    true,
  );
});

Deno.test("loadConfig() knows every setting of ContextForge, and none of them stops the start", () => {
  const known = new Set(SETTINGS.flatMap(({ name, aliases = [] }) => [name, ...aliases]));
  const names = CONTEXTFORGE_NAMES.filter((name) => !known.has(name));
  const { ignored } = load({ dotEnv: names.map((name) => `${name}=x`).join("\n") });
  assertEquals(ignored.length, names.length);
  assertEquals(ignored.filter(({ reason }) => reason === null), []);
});

Deno.test("loadConfig() takes ContextForge's rate limits, and leaves aside those of what is not here", () => {
  const dotEnv = [
    ["RATE_LIMITING_ENABLED", "true"],
    ["RATE_LIMITING_REDIS_ENABLED", "true"],
    ["RATE_LIMIT_CRITICAL_RPM", "10"],
    ["RATE_LIMIT_CRITICAL_BURST", "0"],
    ["RATE_LIMIT_MEDIUM_RPM", "300"],
    ["RATE_LIMIT_LOCKOUT_ENABLED", "true"],
    ["RATE_LIMIT_LOCKOUT_DURATION_MINUTES", "15"],
    ["TOOL_RATE_LIMIT", "100"],
  ].map((pair) => pair.join("=")).join("\n");
  const { config, ignored } = load({ dotEnv });
  assertEquals([config.rateLimitingEnabled, config.rateLimitMediumRpm, config.rateLimitMediumBurst], [
    true,
    300,
    20,
  ]);
  assertEquals(ignored.map(({ name }) => name), [
    "RATE_LIMIT_CRITICAL_RPM",
    "RATE_LIMIT_CRITICAL_BURST",
    "RATE_LIMIT_LOCKOUT_ENABLED",
    "RATE_LIMIT_LOCKOUT_DURATION_MINUTES",
    "TOOL_RATE_LIMIT",
    "RATE_LIMITING_REDIS_ENABLED",
  ]);
  assertEquals(load().config.rateLimitingEnabled, false);
});

Deno.test("load() warns of key files that JWT_ALGORITHM does not use", () => {
  const files = { JWT_PRIVATE_KEY_PATH: "private.pem", JWT_PUBLIC_KEY_PATH: "public.pem" };
  assertEquals(load({ environment: files }).warnings, [
    "JWT_PRIVATE_KEY_PATH, JWT_PUBLIC_KEY_PATH: not used, because JWT_ALGORITHM=HS256 signs with JWT_SECRET_KEY",
  ]);
  assertEquals(load({ environment: { ...files, JWT_ALGORITHM: "es256" } }).warnings, []);
});

Deno.test("loadConfig() warns of headers to pass on that another setting withholds", () => {
  const warningsWith = (more: Record<string, string>) =>
    load({ environment: { DEFAULT_PASSTHROUGH_HEADERS: "X-Tenant-Id, Authorization", ...more } }).warnings;
  assertEquals(warningsWith({}), [
    "DEFAULT_PASSTHROUGH_HEADERS: X-Tenant-Id, Authorization not passed to upstreams, because " +
    "ENABLE_HEADER_PASSTHROUGH is false",
  ]);
  const enabled = { ENABLE_HEADER_PASSTHROUGH: "true" };
  assertEquals(warningsWith(enabled), [
    "DEFAULT_PASSTHROUGH_HEADERS: Authorization not passed to upstreams, because " +
    "ENABLE_SENSITIVE_HEADER_PASSTHROUGH is false",
  ]);
  assertEquals(warningsWith({ ...enabled, ENABLE_SENSITIVE_HEADER_PASSTHROUGH: "true" }), []);
  assertEquals(warningsWith({ ...enabled, DEFAULT_PASSTHROUGH_HEADERS: "X-Tenant-Id" }), []);
});

Deno.test("load() reads JWT_ISSUERS, and says where it is wrong", () => {
  const entry = { issuer: "https://idp", jwks_uri: "https://idp/keys", audience: "sluice" };
  const text = (...entries: unknown[]) => ({ JWT_ISSUERS: JSON.stringify(entries) });
  const [{ algorithms, teams }] = load({ environment: text(entry) }).config.jwtIssuers;
  assertEquals([algorithms, teams], [["RS256"], {}]);
  const bad: [Record<string, string>, string][] = [
    [{ JWT_ISSUERS: "https://idp" }, "must be a JSON array of issuers"],
    [text({ ...entry, audience: undefined }), "at 0.audience"],
    [text({ ...entry, jwks_url: "x" }), 'at 0: Unrecognized key: "jwks_url"'],
    [text({ ...entry, algorithms: ["HS256"] }), "at 0.algorithms.0"],
    [text({ ...entry, jwks_uri: "file:///etc/passwd" }), "at 0.jwks_uri: must be an https address"],
    [text({ ...entry, jwks_uri: "http://idp/keys" }), '"allow_http": true would allow it'],
    [text(entry, entry), "has the issuer https://idp twice"],
    [text({ ...entry, issuer: "mcpgateway" }), "which is JWT_ISSUER, the gateway's own name"],
  ];
  for (const [environment, words] of bad) {
    const found = mistakes({ environment });
    assertEquals(found.length, 1);
    assertStringIncludes(found[0], words);
  }
});

Deno.test("the answers to ContextForge's settings name settings that exist, and deny nothing that the gateway has", () => {
  const known = new Set<string>(SETTINGS.flatMap(({ name, aliases = [] }: Setting) => [name, ...aliases]));
  const foreign = CONTEXTFORGE_NAMES.filter((name) => !known.has(name));
  const { ignored } = load({ dotEnv: foreign.map((name) => `${name}=x`).join("\n") });
  const here = new Map(ignored.map(({ name, reason }) => [name, reason?.replace(/^.* Here: /, "") ?? ""]));
  assertEquals([...here].filter(([, text]) => text === ""), []);
  for (const [name, text] of here) {
    const named = text.match(/\b[A-Z]+(_[A-Z]+)+\b/g) ?? [];
    assertEquals([name, named.filter((each) => !known.has(each))], [name, []]);
  }
  const features: ReadonlyArray<readonly [name: string, what: string]> = [
    ["COMPRESSION_ENABLED", "gzip"],
    ["MCPGATEWAY_UI_AIRGAPPED", "/admin"],
    ["MCPGATEWAY_UI_ENABLED", "/admin"],
    ["OAUTH_REQUEST_TIMEOUT", "UPSTREAM_OAUTH_TIMEOUT"],
    ["SECURITY_LOGGING_ENABLED", "AUDIT_TRAIL_ENABLED"],
    ["SECURITY_HEADERS_ENABLED", "Content-Security-Policy"],
    ["TOOL_RATE_LIMIT", "QUOTA_TOOL"],
    ["RATE_LIMIT_LOCKOUT_ENABLED", "MAX_FAILED_LOGIN_ATTEMPTS"],
  ];
  for (const [name, what] of features) assertStringIncludes(here.get(name) ?? name, what);
});

Deno.test("loadConfig() says of PgBouncer's settings in .env whose they are, and nothing of them in the environment", () => {
  const text = "POOL_MODE=transaction\nMAX_CLIENT_CONN=5000\nIDLE_TRANSACTION_TIMEOUT=60\n";
  const { ignored } = load({ dotEnv: text });
  assertEquals(ignored.map(({ name, reason }) => [name, reason?.includes("PgBouncer reads it")]), [
    ["POOL_MODE", true],
    ["MAX_CLIENT_CONN", true],
    ["IDLE_TRANSACTION_TIMEOUT", true],
  ]);
  assertEquals(load({ environment: { POOL_MODE: "session" } }).ignored, []);
});
