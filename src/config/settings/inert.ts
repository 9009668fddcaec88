// Settings of the Python servers that have nothing to act on here: accepted, so that an .env works unchanged, and explained.

import { setting, text } from "./setting.ts";

const ANY = text("any text", /^/);

/** A setting that is accepted with any value and does nothing, because of `note`. */
function inert<const Name extends string>(name: Name, defaultText: string | null, doc: string, note: string) {
  return setting({
    name,
    kind: ANY,
    default: defaultText,
    scope: "process",
    reloadable: false,
    state: "inert",
    doc,
    note,
  });
}

export const INERT_SETTINGS = [
  inert(
    "HTTP_SERVER",
    null,
    "ContextForge's choice between Gunicorn and Granian.",
    "the gateway is its own HTTP server; the settings of both work under their names",
  ),
  inert(
    "GRANIAN_RUNTIME_MODE",
    "auto",
    "Granian's threading of its Rust runtime.",
    "Deno has one event loop per worker; use WORKERS",
  ),
  inert(
    "GRANIAN_RUNTIME_THREADS",
    "1",
    "Granian's runtime threads per worker.",
    "a worker is one thread; use WORKERS",
  ),
  inert(
    "GRANIAN_BLOCKING_THREADS",
    "1",
    "Granian's threads for blocking calls.",
    "nothing blocks a worker's event loop for threads to take over; use WORKERS",
  ),
  inert(
    "GRANIAN_LOOP",
    "uvloop",
    "Granian's choice of Python event loop.",
    "Deno has one event loop, built in",
  ),
  inert(
    "GRANIAN_TASK_IMPL",
    "auto",
    "Granian's choice of task implementation.",
    "it chooses between two ways of running Python coroutines",
  ),
  inert(
    "GRANIAN_HTTP1_PIPELINE_FLUSH",
    "true",
    "Granian's joining of pipelined answers.",
    "Deno's HTTP server decides when to write, and has no such option",
  ),
  inert(
    "GRANIAN_HTTP1_BUFFER_SIZE",
    "524288",
    "Granian's HTTP/1 buffer.",
    "Deno's HTTP server sizes its buffers itself; MAX_BODY_BYTES bounds a request",
  ),
  inert(
    "GUNICORN_THREADS",
    null,
    "Gunicorn's threads per worker.",
    "a worker is one thread; use WORKERS",
  ),
  inert(
    "GUNICORN_PRELOAD_APP",
    null,
    "Gunicorn's loading before it forks.",
    "workers are threads of one process, which do not fork",
  ),
  inert(
    "GUNICORN_WORKER_CLASS",
    null,
    "Gunicorn's choice of worker.",
    "there is one kind of worker, and it is asynchronous",
  ),
  inert(
    "TEMPLATES_AUTO_RELOAD",
    "false",
    "Reloading of Jinja2 templates.",
    "there are no templates to reload; pages are part of the program",
  ),
  inert(
    "REDIS_SSL",
    "false",
    "ContextForge's switch for TLS to Redis.",
    "the URL says it: REDIS_URL=rediss://...",
  ),
  inert(
    "MCP_SESSION_POOL_JWT_IDENTITY_EXTRACTION",
    "true",
    "ContextForge's reading of a user from an unverified token.",
    "identity always comes from the verified token, so renewing it never splits a user's sessions",
  ),
  inert(
    "MCP_SESSION_POOL_CLEANUP_TIMEOUT",
    "5.0",
    "ContextForge's limit for closing a session.",
    "no call waits for a session to close",
  ),
] as const;
