// Settings of the servers that ContextForge runs on, from its tuning guide: any value is accepted, and none has an effect.
// An environment that was written for ContextForge works unchanged.

import { setting, text } from "./setting.ts";

/** Name, default, and the reason why the setting has no effect. */
const ROWS = [
  ["HTTP_SERVER", null, "the gateway is its own HTTP server; settings of Gunicorn and of Granian both work"],
  ["GRANIAN_RUNTIME_MODE", "auto", "a worker is one thread with one event loop; use WORKERS"],
  ["GRANIAN_RUNTIME_THREADS", "1", "a worker is one thread with one event loop; use WORKERS"],
  ["GRANIAN_BLOCKING_THREADS", "1", "a worker runs no blocking code that would need threads; use WORKERS"],
  ["GRANIAN_LOOP", "uvloop", "Deno has one event loop, built in"],
  ["GRANIAN_TASK_IMPL", "auto", "the setting chooses how Python coroutines run, and the gateway runs none"],
  ["GRANIAN_HTTP1_PIPELINE_FLUSH", "true", "Deno's HTTP server decides when to write"],
  [
    "GRANIAN_HTTP1_BUFFER_SIZE",
    "524288",
    "Deno's HTTP server sizes its buffers; MAX_BODY_BYTES limits a body",
  ],
  ["GUNICORN_THREADS", null, "a worker is one thread with one event loop; use WORKERS"],
  ["GUNICORN_PRELOAD_APP", null, "workers are threads of one process, and nothing forks"],
  ["GUNICORN_WORKER_CLASS", null, "there is one class of worker, and it is asynchronous"],
  ["TEMPLATES_AUTO_RELOAD", "false", "the gateway has no templates"],
  ["REDIS_SSL", "false", "the URL decides: REDIS_URL=rediss://... uses TLS"],
  [
    "MCP_SESSION_POOL_JWT_IDENTITY_EXTRACTION",
    "true",
    "the identity always comes from the verified token, so a renewed token finds its user's sessions",
  ],
  ["MCP_SESSION_POOL_CLEANUP_TIMEOUT", "5.0", "no call waits for a session to close"],
] as const;

export const INERT_SETTINGS = ROWS.map(([name, defaultText, doc]) =>
  setting({
    name,
    kind: text("any text", /^/),
    default: defaultText,
    scope: "process",
    reloadable: false,
    state: "inert",
    doc,
  })
);
