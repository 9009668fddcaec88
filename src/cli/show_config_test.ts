import { assertEquals } from "@std/assert";
import { loadConfig, type LoadInput } from "../config/load.ts";
import { SETTINGS } from "../config/schema.ts";
import { settingsReport } from "../config/settings_report.ts";
import { configText } from "./show_config.ts";

const SECRET = "hush-hush-hush-hush-hush-hush-hush";

function load(input: Partial<LoadInput>) {
  return loadConfig({ environment: {}, dotEnv: null, dev: false, overrides: {}, cores: 2, ...input });
}

/** A setting's line, its runs of spaces made one. */
function line(input: Partial<LoadInput>, name: string): string {
  const found = configText(load(input)).split("\n").find((text) => text.trim().startsWith(`${name} `));
  return found?.trim().replaceAll(/ +/g, " ") ?? "";
}

Deno.test("configText() has a line for every setting: value, origin, effect", () => {
  const text = configText(load({}));
  assertEquals(SETTINGS.filter(({ name }) => !text.includes(`\n  ${name} `)), []);
  assertEquals(line({}, "TOOL_TIMEOUT"), "TOOL_TIMEOUT 60 s default");
  assertEquals(
    line({ dotEnv: "MCP_SESSION_POOL_TRANSPORT_TIMEOUT=10" }, "TOOL_TIMEOUT"),
    "TOOL_TIMEOUT 10 s .env as MCP_SESSION_POOL_TRANSPORT_TIMEOUT",
  );
  assertEquals(line({}, "WORKERS"), "WORKERS 2 default (auto)");
  assertEquals(line({ dev: true }, "SSRF_ALLOW_LOCALHOST"), "SSRF_ALLOW_LOCALHOST true development default");
  assertEquals(
    line({ environment: { HTTPX_READ_TIMEOUT: "1.5" } }, "HTTP_CLIENT_READ_TIMEOUT"),
    "HTTP_CLIENT_READ_TIMEOUT 1.5 s environment as HTTPX_READ_TIMEOUT",
  );
  assertEquals(line({ dotEnv: "PORT=1" }, "PORT"), "PORT 1 .env");
  const readDatabaseDotEnv = () => ({ path: "/srv/sluice/.env", text: "PORT=2" });
  assertEquals(line({ readDatabaseDotEnv }, "PORT"), "PORT 2 /srv/sluice/.env");
  assertEquals(line({ readDatabaseDotEnv, dotEnv: "PORT=1" }, "PORT"), "PORT 1 .env");
  assertEquals(
    line({ environment: { GRANIAN_LOOP: "rloop" } }, "GRANIAN_LOOP"),
    "GRANIAN_LOOP rloop environment; no effect: Deno has one event loop, built in",
  );
});

Deno.test("configText() shows lists as they are written, and what has fields as JSON", () => {
  assertEquals(configText(load({})).includes("[object Object]"), false);
  assertEquals(line({}, "OKTA_GROUP_MAPPING"), "OKTA_GROUP_MAPPING (none) default");
  const environment = {
    SSO_KEYCLOAK_ROLE_MAPPINGS: '{"leads": "platform_admin"}',
    SSRF_ALLOWED_NETWORKS: "10.0.0.0/8,192.168.0.0/16",
    JWT_ISSUERS: '[{"issuer": "https://i.example", "jwks_uri": "https://i.example/keys", "audience": "a"}]',
  };
  assertEquals(
    line({ environment }, "SSO_KEYCLOAK_ROLE_MAPPINGS"),
    'SSO_KEYCLOAK_ROLE_MAPPINGS {"leads":"platform_admin"} environment',
  );
  assertEquals(
    line({ environment }, "SSRF_ALLOWED_NETWORKS"),
    "SSRF_ALLOWED_NETWORKS 10.0.0.0/8,192.168.0.0/16 environment",
  );
  assertEquals(configText(load({ environment })).includes("[object Object]"), false);
});

Deno.test("configText() shows secrets that are made as random, and a password that is not set as not set", () => {
  assertEquals(line({}, "JWT_SECRET_KEY"), "JWT_SECRET_KEY (random, kept beside the database) default");
  assertEquals(line({}, "KEY_FILE_PASSWORD"), "KEY_FILE_PASSWORD - default");
});

Deno.test("configText() and settingsReport() show no secret", () => {
  const loaded = load({
    environment: { JWT_SECRET_KEY: SECRET, AUTH_ENCRYPTION_SECRET: SECRET, REDIS_URL: "redis://:hush@h/0" },
  });
  assertEquals(configText(loaded).includes("hush"), false);
  assertEquals(JSON.stringify(settingsReport(loaded)).includes("hush"), false);
});

Deno.test("configText() multiplies the limits of workers, and names what is ignored", () => {
  const text = configText(load({
    environment: { WORKERS: "3", BACKPRESSURE: "64", HTTPX_MAX_CONNECTIONS: "200" },
    dotEnv: "PLUGINS_ENABLED=true",
  }));
  assertEquals(text.includes(": 192 (WORKERS 3 x BACKPRESSURE 64)"), true);
  assertEquals(
    text.includes("outbound connections: 600 (WORKERS 3 x HTTP_CLIENT_MAX_CONNECTIONS 200)"),
    true,
  );
  assertEquals(text.includes("\n  PLUGINS_ENABLED (.env): In ContextForge: runs plugins"), true);
  assertEquals(text.includes("may wait"), false);
});

Deno.test("configText() tells how many calls may wait for an outbound connection", () => {
  const text = configText(load({ environment: { WORKERS: "3" } }));
  const line = "  calls that may wait for an outbound connection, 5 s at most: 1236 " +
    "(WORKERS 3 x (BACKPRESSURE 512 - HTTP_CLIENT_MAX_CONNECTIONS 100))";
  assertEquals(text.split("\n").includes(line), true);
});

Deno.test("settingsReport() gives values as Config has them", () => {
  const json = settingsReport(load({ environment: { TOOL_TIMEOUT: "5" } }));
  assertEquals(json.settings.length, SETTINGS.length);
  const row = json.settings.find(({ name }) => name === "TOOL_TIMEOUT")!;
  assertEquals([row.key, row.value, row.source, row.state], ["toolTimeoutMs", 5000, "environment", "active"]);
  assertEquals(row.file, null);
});

Deno.test("configText() for a terminal fits its columns, and says the same", () => {
  const loaded = load({ environment: { GRANIAN_LOOP: "rloop", DJANGO_MODE: "x" } });
  const text = configText(loaded, 80);
  assertEquals(text.split("\n").filter((shown) => shown.length > 80), []);
  assertEquals(text.replaceAll(/\s+/g, ""), configText(loaded).replaceAll(/\s+/g, ""));
});
