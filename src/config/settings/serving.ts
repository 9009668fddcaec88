// Settings of listening, of workers, and of the log.

import { bool, int, kind, list, mebibytes, network, oneOf, seconds, setting, text } from "./setting.ts";

/** WORKERS=auto is one worker per core, as in Granian, up to this number. */
const MAX_AUTO_WORKERS = 16;

export const LISTEN_SETTINGS = [
  setting({
    name: "HOST",
    kind: text("an IP address or a host name", /^[A-Za-z0-9.:_-]+$/),
    default: "0.0.0.0",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "The address to listen on. Behind a reverse proxy on the same machine, use 127.0.0.1.",
  }),
  setting({
    name: "PORT",
    kind: int({ min: 0, max: 65_535, hint: "0: any free port" }),
    default: "4444",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "The port to listen on.",
  }),
  setting({
    name: "APP_ROOT_PATH",
    kind: kind(null, "a path like /gateway", (given) => {
      const path = given.replace(/\/$/, "");
      return path === "" || /^(\/[A-Za-z0-9._~-]+)+$/.test(path) ? path : undefined;
    }),
    default: "/",
    scope: "process",
    reloadable: true,
    state: "active",
    doc:
      "The path under which a reverse proxy publishes the gateway. The gateway serves with and without it, " +
      "so the proxy may strip it or not.",
  }),
  setting({
    name: "TRUSTED_PROXY_NETWORKS",
    kind: list("networks like 10.20.0.0/16, or *", (item) => item === "*" ? item : network(item)),
    default: "127.0.0.1,::1",
    scope: "process",
    reloadable: true,
    state: "active",
    doc:
      "Reverse proxies whose X-Forwarded headers count. X-Forwarded-For names the client, for limits of logins, ip_restrictions of " +
      "tokens and the audit trail. X-Forwarded-Prefix goes into the address that an SSE client posts to. With X-Forwarded-Proto and " +
      "X-Forwarded-Host it is the address of the pages for people.",
  }),
  setting({
    name: "BACKLOG",
    aliases: ["GRANIAN_BACKLOG", "GUNICORN_BACKLOG"],
    kind: int({ min: 1, max: 65_535 }),
    default: "2048",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Connections that may wait in the kernel until a worker accepts them; the kernel allows at most " +
      "net.core.somaxconn.",
  }),
  setting({
    name: "HTTP_VERSION",
    aliases: ["GRANIAN_HTTP"],
    kind: oneOf(["auto", "1", "2"]),
    default: "auto",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "The HTTP versions to serve. `auto` serves both: HTTP/2 over TLS by ALPN, and without TLS by " +
      "prior knowledge.",
  }),
  setting({
    name: "SSL",
    kind: bool(),
    default: "false",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Serve HTTPS with CERT_FILE and KEY_FILE.",
  }),
  setting({
    name: "CERT_FILE",
    kind: text("a file name", /./),
    default: null,
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "The PEM file of the server's certificate chain. SIGHUP reads the file again; another name needs a restart.",
  }),
  setting({
    name: "KEY_FILE",
    kind: text("a file name", /./),
    default: null,
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "The PEM file of the certificate's private key. SIGHUP reads the file again; another name needs a restart.",
  }),
  setting({
    name: "KEY_FILE_PASSWORD",
    kind: text("a password", /./),
    default: null,
    scope: "process",
    reloadable: false,
    secret: "value",
    state: "active",
    doc: "The password of an encrypted KEY_FILE.",
  }),
  setting({
    name: "HTTP_HEADER_TIMEOUT",
    kind: seconds({ min: 1, max: 3600 }),
    default: "20",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Time for a request head to arrive. The gateway closes a connection that takes longer (Linux " +
      "only).",
  }),
  setting({
    name: "HTTP_BODY_TIMEOUT",
    kind: seconds({ min: 1, max: 3600 }),
    default: "30",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Time for a request body to arrive. A request that takes longer gets 408.",
  }),
  setting({
    name: "HTTP_IDLE_TIMEOUT",
    kind: seconds({ min: 1, max: 86_400 }),
    default: "75",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Time until an idle connection is closed, or one whose client does not read its response (Linux " +
      "only). Keep it above the idle timeout of a proxy in front.",
  }),
] as const;

export const WORKER_SETTINGS = [
  setting({
    name: "WORKERS",
    aliases: ["GRANIAN_WORKERS", "GUNICORN_WORKERS"],
    kind: int({ min: 1, max: 256, hint: "or auto: one per core, at most 16" }),
    default: "auto",
    auto: (cores) => Math.min(Math.max(cores, 1), MAX_AUTO_WORKERS),
    devDefault: (cores) => String(Math.min(Math.max(cores, 2), MAX_AUTO_WORKERS)),
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Number of workers that share the port.",
  }),
  setting({
    name: "BACKPRESSURE",
    aliases: ["GRANIAN_BACKPRESSURE"],
    kind: kind(null, "a whole number from 1 to 1000000, or auto", (given) => {
      if (given.toLowerCase() === "auto") return "auto" as const;
      const limit = /^\d+$/.test(given) ? Number(given) : 0;
      return limit >= 1 && limit <= 1_000_000 ? limit : undefined;
    }),
    default: "512",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Requests that a worker handles at the same time. A request above the limit gets 503 immediately. " +
      "The limit of the process is WORKERS times this. `auto` adapts the limit to measured latency: it " +
      "starts at 20 and stays between 4 and 4096.",
  }),
  setting({
    name: "MAX_STREAMS",
    kind: int({ min: 1, max: 1_000_000 }),
    default: "4096",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Event streams, WebSockets and `subscriptions/listen` requests that a worker holds open at the " +
      "same time, in addition to BACKPRESSURE. One above the limit is refused immediately; a GET gets " +
      "503. The same number of calls of revision 2026-07-28 may wait for client input.",
  }),
  setting({
    name: "MAX_CALLS_PER_CALLER",
    kind: int({ min: 1, max: 1_000_000 }),
    default: "256",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Requests that one caller (issuer and subject of the token) may have under way in a worker. A " +
      "further request gets 429. Each message of a batch counts; a batch runs as many messages at once as " +
      "it gets places here and in BACKPRESSURE. Callers without a token have no limit of their own. Keep " +
      "this below BACKPRESSURE, and raise both for a platform that uses one token for all its users.",
  }),
  setting({
    name: "MAX_STREAMS_PER_CALLER",
    kind: int({ min: 1, max: 1_000_000 }),
    default: "1024",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Event streams and WebSockets that one caller may hold open in a worker. A further GET gets 429. " +
      "Its upstream sessions may have as many event streams and WebSockets to upstreams. The same number " +
      "of its calls may wait for client input, or go on after their stream was lost. Callers without a token have no limit of their own.",
  }),
  setting({
    name: "GRACEFUL_TIMEOUT",
    aliases: ["GUNICORN_GRACEFUL_TIMEOUT"],
    kind: seconds({ min: 0, max: 86_400, hint: "0: at once" }),
    default: "30",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Time that requests in flight have to end after SIGTERM or SIGINT.",
  }),
  setting({
    name: "WORKER_TIMEOUT",
    aliases: ["GUNICORN_TIMEOUT"],
    kind: seconds({ min: 1 }),
    default: "600",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Time after which a worker with a blocked event loop is replaced.",
  }),
  setting({
    name: "MAX_REQUESTS",
    aliases: ["GUNICORN_MAX_REQUESTS"],
    kind: int({ min: 0, max: 1_000_000_000, hint: "0: never" }),
    default: "0",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "Requests after which a worker is replaced. No request is lost.",
  }),
  setting({
    name: "MAX_REQUESTS_JITTER",
    aliases: ["GUNICORN_MAX_REQUESTS_JITTER"],
    kind: int({ min: 0, max: 1_000_000_000 }),
    default: "0",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc: "A random number up to this is added to MAX_REQUESTS, so that workers are not all replaced at the " +
      "same time.",
  }),
  setting({
    name: "RESPAWN_FAILED",
    aliases: ["GRANIAN_RESPAWN_FAILED"],
    kind: bool(),
    default: "true",
    scope: "process",
    reloadable: true,
    state: "active",
    doc:
      "Replace a worker that died. With false, the other workers serve on, and the gateway ends when the last " +
      "one has died.",
  }),
  setting({
    name: "WORKER_MAX_HEAP_MB",
    kind: mebibytes({ min: 0, max: 1_048_576, hint: "0: no ceiling" }),
    default: "2048",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "Limit of a worker's JavaScript heap. From 65 % of it on, the callers for whom the most is kept lose " +
      "their sessions, streams and pending calls, until all callers take a fifth of the limit. From 80 % " +
      "on, the worker is replaced. A worker beyond the limit ends, and the others go on; without a limit the process ends.",
  }),
  setting({
    name: "MAX_CLIENT_MEMORY_MB",
    kind: mebibytes({ min: 64, max: 1_048_576 }),
    default: "256",
    scope: "worker",
    reloadable: true,
    state: "active",
    doc:
      "Memory of a worker for what it keeps for clients: sessions, subscriptions, events for streams that " +
      "may be resumed, pending calls, requests and answers above 64 KiB while they arrive and until they " +
      "are read. A caller may use as much as is still free, so one alone gets half. Above that, the " +
      "caller's events are dropped, then 429 is answered. Callers without a token count as one; what " +
      "arrives from upstreams for them is not counted. Keep it below half of WORKER_MAX_HEAP_MB.",
  }),
  setting({
    name: "DEV_MODE",
    aliases: ["GRANIAN_DEV_MODE"],
    kind: bool(),
    default: "false",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Restart the workers when a source file changes. Works only from source.",
  }),
] as const;

export const LOG_SETTINGS = [
  setting({
    name: "LOG_LEVEL",
    kind: oneOf(["DEBUG", "INFO", "WARNING", "ERROR"], {
      WARN: "WARNING",
      CRITICAL: "ERROR",
      FATAL: "ERROR",
    }),
    default: "INFO",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "The least severe events to log.",
  }),
  setting({
    name: "LOG_FORMAT",
    kind: oneOf(["json", "text"]),
    default: "json",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "`json` writes one JSON object per line; `text` is for reading.",
  }),
  setting({
    name: "LOG_BUFFER_SIZE_MB",
    kind: mebibytes({ min: 0, max: 1_024, hint: "0: none" }),
    default: "4",
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "Memory for the latest lines of the log, which the page Logs, `sluice logs` and GET /logs show. Half of it is for lines of " +
      "requests.",
  }),
  setting({
    name: "DISABLE_ACCESS_LOG",
    kind: bool(),
    default: "true",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "With false, the log has a line for each request that is served, with caller, client address, " +
      "tool and error code, and a line for each request of a batch. Preflights of browsers, and requests " +
      "refused by BACKPRESSURE or MAX_STREAMS, have no line. Behind a proxy, `client` is the proxy.",
  }),
  setting({
    name: "CORRELATION_ID_RESPONSE_HEADER",
    kind: bool(),
    default: "true",
    scope: "process",
    reloadable: true,
    state: "active",
    doc:
      "Every answer has its correlation id in the header X-Correlation-ID. With false, only failures and answers to clients " +
      "that send an id have one, which saves about 1.5 µs per call.",
  }),
] as const;
