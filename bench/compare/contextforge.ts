// ContextForge as its tuning guide runs it: Gunicorn with Uvicorn workers, PostgreSQL and Redis, and what a gateway of MCP servers
// does not need switched off. PostgreSQL and Redis are not counted as its own.
import { freePort } from "../../tests/support/free_port.ts";
import { askApi } from "../../tests/support/gateway_api.ts";
import { PostgresServer } from "../../tests/support/postgres.ts";
import { findProgram } from "../../tests/support/programs.ts";
import { RedisServer } from "../../tests/support/redis.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { byPip, packagesOf } from "./install.ts";
import { benchLane, type Peer, type Running, type Start, startProgram, WORKERS } from "./peer.ts";
import { pythonVersion } from "./versions.ts";

const ADMIN = "admin@example.com";
const PASSWORD = "Comparison-Password-1!";
const SETTINGS = {
  ENVIRONMENT: "production",
  PLATFORM_ADMIN_EMAIL: ADMIN,
  PLATFORM_ADMIN_PASSWORD: PASSWORD,
  DEFAULT_USER_PASSWORD: PASSWORD,
  BASIC_AUTH_PASSWORD: PASSWORD,
  PASSWORD_CHANGE_ENFORCEMENT_ENABLED: "false",
  SSRF_ALLOW_LOCALHOST: "true",
  SSRF_ALLOW_PRIVATE_NETWORKS: "true",
  CACHE_TYPE: "redis",
  LOG_LEVEL: "ERROR",
  DISABLE_ACCESS_LOG: "true",
  STRUCTURED_LOGGING_DATABASE_ENABLED: "false",
  DB_METRICS_RECORDING_ENABLED: "false",
  AUDIT_TRAIL_ENABLED: "false",
  OBSERVABILITY_ENABLED: "false",
  PLUGINS_ENABLED: "false",
  COMPRESSION_ENABLED: "false",
  RATE_LIMITING_ENABLED: "false",
  MCPGATEWAY_UI_ENABLED: "false",
  MCPGATEWAY_ADMIN_API_ENABLED: "false",
  MCPGATEWAY_A2A_ENABLED: "false",
  MCPGATEWAY_CATALOG_ENABLED: "false",
  LLMCHAT_ENABLED: "false",
  USE_STATEFUL_SESSIONS: "false",
  JSON_RESPONSE_ENABLED: "true",
  DB_POOL_CLASS: "queue",
  DB_POOL_SIZE: "20",
  DB_MAX_OVERFLOW: "10",
} as const;

export const CONTEXTFORGE: Peer = {
  name: "ContextForge",
  installation: byPip("contextforge"),
  version: () => pythonVersion("contextforge", "mcp_contextforge_gateway"),
  settings:
    `Gunicorn, ${WORKERS} Uvicorn workers, PostgreSQL, Redis; metrics, logs, audit, UI, plugins and compression off, as its ` +
    "tuning guide says; authenticated by JWT",
  start,
};

async function start(start: Start): Promise<Running> {
  const { stack, upstreamUrl } = start;
  const postgres = stack.use(
    await PostgresServer.start({ settings: { max_connections: "200", shared_buffers: "128MB" } }),
  );
  const redis = stack.use(await RedisServer.start());
  const port = freePort();
  const secret = crypto.randomUUID().repeat(2);
  const python = findProgram("python3")!;
  const env = {
    ...SETTINGS,
    PYTHONPATH: packagesOf("contextforge"),
    PYTHONDONTWRITEBYTECODE: "1",
    DATABASE_URL: postgres.url(await postgres.takeDatabase()),
    REDIS_URL: redis.url(),
    JWT_SECRET_KEY: secret,
    AUTH_ENCRYPTION_SECRET: crypto.randomUUID().repeat(2),
  };
  const gunicorn = [
    "-m",
    "gunicorn",
    "mcpgateway.main:app",
    "--worker-class",
    "uvicorn.workers.UvicornWorker",
  ];
  const { pid, coldStartMs } = await startProgram(
    {
      command: python,
      args: [
        ...gunicorn,
        "--workers",
        String(WORKERS),
        "--bind",
        `127.0.0.1:${port}`,
        "--timeout",
        "600",
        "--preload",
      ],
      env,
    },
    start,
    port,
  );
  const url = `http://127.0.0.1:${port}`;
  const ask = async (method: string, path: string, body: unknown, bearer: string | null) => {
    const answer = await askApi(url + path, { method, body, bearer, client: undefined });
    if (answer.status >= 400) throw new Error(`ContextForge: ${method} ${path}: ${JSON.stringify(answer)}`);
    return answer.body;
  };
  const { access_token: session } = await ask("POST", "/auth/email/login", {
    email: ADMIN,
    password: PASSWORD,
  }, null);
  await ask("POST", "/gateways", { name: "time", url: upstreamUrl, transport: "STREAMABLEHTTP" }, session);
  const tool: string = await waitFor(
    async () =>
      (await ask("GET", "/tools", undefined, session)).find(({ name }: { name: string }) =>
        /convert/.test(name)
      )?.name,
    { what: "the tools of ContextForge" },
  );
  const token = ["--token", session];
  return {
    roots: [pid],
    coldStartMs,
    lanes: [
      benchLane("/rpc", `${url}/rpc`, tool, token),
      benchLane("/rpc, with a session id", `${url}/rpc`, tool, [
        ...token,
        "--header",
        `mcp-session-id: ${crypto.randomUUID()}`,
      ]),
      benchLane("/mcp", `${url}/mcp`, tool, token),
    ],
  };
}
