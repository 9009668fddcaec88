// Settings of connections to upstreams.

import { bool, headerName, int, list, seconds, setting, text } from "./setting.ts";

const ACCEPT_ENCODING = /^(identity|(gzip|br|deflate)(, ?(gzip|br|deflate))*)$/;
const PROXY_URL = /^https?:\/\/\S+$/i;

export const HTTP_CLIENT_SETTINGS = [
  setting({
    name: "HTTP_CLIENT_MAX_CONNECTIONS",
    aliases: ["HTTPX_MAX_CONNECTIONS"],
    kind: int({ min: 1, max: 100_000 }),
    default: "100",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Open outbound connections. One upstream may have four fifths of them, one caller three quarters. " +
      "Further calls wait for a connection, those of the caller with the fewest connections first: at most HTTP_CLIENT_POOL_TIMEOUT, and at most as many calls as BACKPRESSURE allows.",
  }),
  setting({
    name: "HTTP_CLIENT_MAX_KEEPALIVE_CONNECTIONS",
    aliases: ["HTTPX_MAX_KEEPALIVE_CONNECTIONS"],
    kind: int({ min: 0, max: 100_000, hint: "0: keep none" }),
    default: "20",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Idle outbound connections to keep open.",
  }),
  setting({
    name: "HTTP_CLIENT_KEEPALIVE_EXPIRY",
    aliases: ["HTTPX_KEEPALIVE_EXPIRY"],
    kind: seconds(),
    default: "5.0",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Time that an idle outbound connection stays open.",
  }),
  setting({
    name: "HTTP_CLIENT_CONNECT_TIMEOUT",
    aliases: ["HTTPX_CONNECT_TIMEOUT"],
    kind: seconds(),
    default: "5.0",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Time for connecting, including TLS.",
  }),
  setting({
    name: "HTTP_CLIENT_READ_TIMEOUT",
    aliases: ["HTTPX_READ_TIMEOUT"],
    kind: seconds(),
    default: "30.0",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Longest pause within a response body. The wait for the response itself, and between the events " +
      "of a stream, is limited by TOOL_TIMEOUT or the tool's `timeout_ms`; raise those for slow tools.",
  }),
  setting({
    name: "HTTP_CLIENT_WRITE_TIMEOUT",
    aliases: ["HTTPX_WRITE_TIMEOUT"],
    kind: seconds(),
    default: "30.0",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Time for sending a request.",
  }),
  setting({
    name: "HTTP_CLIENT_POOL_TIMEOUT",
    aliases: ["HTTPX_POOL_TIMEOUT"],
    kind: seconds(),
    default: "5.0",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Time that a request waits while all outbound connections are in use.",
  }),
  setting({
    name: "HTTP_CLIENT_HTTP2_ENABLED",
    aliases: ["HTTPX_HTTP2_ENABLED"],
    kind: bool(),
    default: "false",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "Offer HTTP/2 to upstreams with https URLs, unless HTTPS_PROXY or ALL_PROXY is set, or the environment has " +
      "NO_PROXY. These upstreams are then called by `fetch`, over connections to checked addresses as everywhere. " +
      "HTTP_CLIENT_MAX_CONNECTIONS and the connection metrics do not cover them.",
  }),
  setting({
    name: "HTTP_CLIENT_ACCEPT_ENCODING",
    kind: text("content codings: identity, or some of gzip, br, deflate, with commas", ACCEPT_ENCODING),
    default: "identity",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "Accept-Encoding of requests to upstreams. Compression costs more time than it saves unless the way to an upstream is " +
      "slow. Compressed answers are decoded in any case.",
  }),
  setting({
    name: "HTTP_PROXY",
    kind: text("an http or https URL", PROXY_URL),
    default: null,
    scope: "worker",
    reloadable: false,
    secret: "url",
    state: "active",
    doc:
      "Proxy for upstreams with http and ws URLs: http://user:password@host:port. NO_PROXY lists exceptions. " +
      "PROXY_RESOLVES_NAMES decides who resolves host names.",
  }),
  setting({
    name: "HTTPS_PROXY",
    kind: text("an http or https URL", PROXY_URL),
    default: null,
    scope: "worker",
    reloadable: false,
    secret: "url",
    state: "active",
    doc:
      "Proxy for upstreams with https and wss URLs: http://user:password@host:port. NO_PROXY lists exceptions. " +
      "PROXY_RESOLVES_NAMES decides who resolves host names.",
  }),
  setting({
    name: "ALL_PROXY",
    // The variable often holds a SOCKS proxy. It must not stop the start if the other two settings are set.
    kind: text("a URL", /^[a-z][a-z\d+.-]*:\/\/\S+$/i),
    default: null,
    scope: "worker",
    reloadable: false,
    secret: "url",
    state: "active",
    doc:
      "Proxy for upstreams whose own setting, HTTP_PROXY or HTTPS_PROXY, is not set. SOCKS is not supported.",
  }),
  setting({
    name: "NO_PROXY",
    kind: list("hosts", (item) => item, { ofOthers: true }),
    default: "localhost,127.0.0.0/8,::1",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "Upstreams to connect to without a proxy: host names (which include subdomains), IP addresses, networks, " +
      "or * for all. A host name or an address may end in :port.",
  }),
  setting({
    name: "PROXY_RESOLVES_NAMES",
    kind: bool(),
    default: "false",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "Let the proxy resolve host names of upstreams. By default the gateway resolves and checks a name, and asks the " +
      "proxy for a tunnel (CONNECT) to the checked address. Set true if only the proxy can resolve names, or if it " +
      "refuses CONNECT to addresses or to ports other than 443. The gateway cannot check addresses then: the proxy " +
      "must block internal and cloud metadata addresses.",
  }),
  setting({
    name: "PROXY_SSL_CA_CERTS",
    kind: text("the path of a PEM file", /\S/),
    default: null,
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "PEM file of certificate authorities that may sign the certificate of a proxy with an https URL, besides the " +
      "system's.",
  }),
] as const;

export const UPSTREAM_OAUTH_SETTINGS = [
  setting({
    name: "UPSTREAM_OAUTH_TIMEOUT",
    kind: seconds(),
    default: "10.0",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Time for one request to the authorization server of an upstream, and for reading metadata.",
  }),
] as const;

export const PASSTHROUGH_SETTINGS = [
  setting({
    name: "ENABLE_HEADER_PASSTHROUGH",
    kind: bool(),
    default: "false",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Pass request headers on to upstreams: those in an upstream's `passthrough_headers`, or else in " +
      "DEFAULT_PASSTHROUGH_HEADERS.",
  }),
  setting({
    name: "DEFAULT_PASSTHROUGH_HEADERS",
    kind: list("header names", headerName),
    default: "[]",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Headers to pass on to upstreams without `passthrough_headers` of their own.",
  }),
  setting({
    name: "ENABLE_SENSITIVE_HEADER_PASSTHROUGH",
    kind: bool(),
    default: "false",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Allow Authorization, Cookie and other credentials among the headers to pass on.",
  }),
  setting({
    name: "ENABLE_OVERWRITE_BASE_HEADERS",
    kind: bool(),
    default: "false",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Let a passed header replace a header that the gateway sends itself.",
  }),
] as const;

export const HEALTH_SETTINGS = [
  setting({
    name: "HEALTH_CHECK_TIMEOUT",
    kind: seconds(),
    default: "5",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Time that one request of a health check may take, also for MCP_SESSION_POOL_EXPLICIT_HEALTH_RPC.",
  }),
  setting({
    name: "HEALTH_CHECK_INTERVAL",
    kind: seconds({ min: 1 }),
    default: "60",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Time between two health checks of an upstream. One worker of all that share the database does " +
      "the checks.",
  }),
  setting({
    name: "UNHEALTHY_THRESHOLD",
    kind: int({ min: -1, max: 1_000_000, hint: "-1: never" }),
    default: "3",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Consecutive failed checks after which an upstream counts as unreachable. Refused credentials are " +
      "not a failure.",
  }),
  setting({
    name: "GATEWAY_HEALTH_CHECK_TIMEOUT",
    kind: seconds(),
    default: "5",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Time that the whole check of one upstream may take.",
  }),
  setting({
    name: "MAX_CONCURRENT_HEALTH_CHECKS",
    kind: int({ min: 1, max: 10_000 }),
    default: "10",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Upstreams that are checked at the same time.",
  }),
  setting({
    name: "AUTO_REFRESH_SERVERS",
    kind: bool(),
    default: "false",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "List every upstream's tools, resources and prompts periodically. Without it, the gateway lists " +
      "them again only when an upstream announces a change.",
  }),
  setting({
    name: "GATEWAY_AUTO_REFRESH_INTERVAL",
    kind: seconds({ min: 60 }),
    default: "300",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Time between two such refreshes of an upstream without a `refresh_interval_seconds` of its own.",
  }),
  setting({
    name: "SILENT_UPSTREAM_REFRESH_INTERVAL",
    kind: seconds({ min: 0, hint: "0: never" }),
    default: "60",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc:
      "Time between two readings of the lists of an upstream that cannot announce a change, because it keeps no sessions. " +
      "A redeployed upstream is noticed within this time. An upstream's own `ttlMs` lengthens it, up to an hour.",
  }),
  setting({
    name: "LEADER_LEASE_TTL",
    aliases: ["REDIS_LEADER_TTL"],
    kind: seconds({ min: 1, max: 3600 }),
    default: "15",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Time within which another replica takes over the health checks and cleanup jobs of a replica " +
      "that died.",
  }),
] as const;
