// Settings of authentication, outbound addresses, and limits.

import { SECRET } from "./secret_quality.ts";
import { bool, bytes, int, list, network, setting, text } from "./setting.ts";
import { TOKEN_ISSUER_SETTINGS, TOKEN_KEY_SETTINGS } from "./token_keys.ts";

export const AUTH_SETTINGS = [
  setting({
    name: "AUTH_REQUIRED",
    kind: bool(),
    default: "true",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Refuse requests without a valid bearer token. With false, a request without a token is anonymous " +
      "and sees public entities only.",
  }),
  ...TOKEN_KEY_SETTINGS,
  setting({
    name: "JWT_AUDIENCE",
    kind: text("a name", /./),
    default: "mcpgateway-api",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc: "The `aud` claim that a token must have.",
  }),
  setting({
    name: "JWT_ISSUER",
    kind: text("a name", /./),
    default: "mcpgateway",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc: "The `iss` claim that a token must have.",
  }),
  ...TOKEN_ISSUER_SETTINGS,
  setting({
    name: "REQUIRE_TOKEN_EXPIRATION",
    kind: bool(),
    default: "true",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Refuse tokens without an expiry (`exp`).",
  }),
  setting({
    name: "REQUIRE_JTI",
    kind: bool(),
    default: "true",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc:
      "Refuse tokens without an id (`jti`). A token without an id cannot be revoked. An id that is no text of " +
      "1 to 255 characters is always refused.",
  }),
  setting({
    name: "VALIDATE_TOKEN_ENVIRONMENT",
    kind: bool(),
    default: "false",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Refuse tokens whose `env` claim is another than ENVIRONMENT. Tokens without the claim are taken.",
  }),
  setting({
    name: "ENVIRONMENT",
    kind: text("a name", /./),
    default: "development",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "The environment of this gateway, for VALIDATE_TOKEN_ENVIRONMENT.",
  }),
  setting({
    name: "REQUIRE_USER_IN_DB",
    kind: bool(),
    default: "false",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc:
      "Refuse tokens whose user has no record here, other than PLATFORM_ADMIN_EMAIL. With false, such a token " +
      "has the rights that its claims say.",
  }),
  setting({
    name: "AUTH_ENCRYPTION_SECRET",
    kind: SECRET,
    default: null,
    scope: "replica",
    reloadable: false,
    secret: "value",
    isGenerated: true,
    state: "active",
    doc: "The key that encrypts stored upstream credentials. Not set: the first start makes a random key " +
      "and keeps it beside the database. Refused like JWT_SECRET_KEY if it can be guessed.",
  }),
  setting({
    name: "PLATFORM_ADMIN_EMAIL",
    kind: text("an email address", /^[^\s@]+@[^\s@]+$/),
    default: "admin@example.com",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc: "The user who is always an administrator, whatever the token's claims say.",
  }),
] as const;

export const EGRESS_SETTINGS = [
  setting({
    name: "SSRF_PROTECTION_ENABLED",
    kind: bool(),
    default: "true",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Check every outbound address. Metadata and link-local addresses are refused even with false.",
  }),
  setting({
    name: "SSRF_ALLOW_LOCALHOST",
    kind: bool(),
    default: "false",
    devDefault: "true",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Allow upstreams on this machine (127.0.0.0/8, ::1).",
  }),
  setting({
    name: "SSRF_ALLOW_PRIVATE_NETWORKS",
    kind: bool(),
    default: "false",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Allow upstreams in private networks (10/8, 172.16/12, 192.168/16, fc00::/7).",
  }),
  setting({
    name: "SSRF_ALLOWED_NETWORKS",
    kind: list("networks like 10.20.0.0/16", network),
    default: "[]",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Private networks that are allowed although SSRF_ALLOW_PRIVATE_NETWORKS is false.",
  }),
  setting({
    name: "SSRF_BLOCKED_NETWORKS",
    kind: list("networks like 10.20.0.0/16", network),
    default: "169.254.169.254/32,169.254.169.123/32,fd00::1/128,169.254.0.0/16,fe80::/10,100.64.0.0/10",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Networks that are always refused. They win over every other setting.",
  }),
  setting({
    name: "SSRF_BLOCKED_HOSTS",
    kind: list("host names", (item) => /^[^\s/]+$/.test(item) ? item.toLowerCase() : undefined),
    default: "metadata.google.internal,metadata.internal",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Host names that are always refused. They win over every other setting.",
  }),
  setting({
    name: "SSRF_DNS_FAIL_CLOSED",
    kind: bool(),
    default: "true",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Refuse a host name that cannot be resolved.",
  }),
  setting({
    name: "ALLOWED_HOSTS",
    kind: list("host names without port, or *", (item) => {
      const name = item.toLowerCase();
      return name === "*" || /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/.test(name) ? name : undefined;
    }),
    default: "",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Host names that a request's Host header may have, besides localhost. Not set: any name; if HOST " +
      "is a loopback address, localhost only.",
  }),
  setting({
    name: "ALLOWED_ORIGINS",
    kind: list("origins like https://app.example.com, or *", (item) => {
      if (item === "*" || item === "null") return item;
      const url = URL.canParse(item) ? new URL(item) : null;
      return url !== null && /^https?:$/.test(url.protocol) &&
          /^\/?$/.test(url.pathname + url.search + url.hash)
        ? url.origin
        : undefined;
    }),
    default: "http://localhost,http://localhost:4444",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Origins whose web pages may call the gateway from a browser, besides those of this machine " +
      "(localhost). Requests from other origins get 403.",
  }),
  setting({
    name: "CORS_ENABLED",
    kind: bool(),
    default: "true",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Answer the preflights of browsers and send CORS headers to pages of ALLOWED_ORIGINS. Cookies are " +
      "never allowed: a page sends its token in the Authorization header. With false, a page can call only " +
      "from the gateway's own origin.",
  }),
] as const;

export const LIMIT_SETTINGS = [
  setting({
    name: "MAX_BODY_BYTES",
    kind: bytes({ min: 1024, max: 1_073_741_824 }),
    default: "4194304",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Largest request body.",
  }),
  setting({
    name: "MAX_UPSTREAM_RESPONSE_BYTES",
    kind: bytes({ min: 1024, max: 1_073_741_824 }),
    default: "16777216",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Largest response of an upstream.",
  }),
  setting({
    name: "MAX_UPSTREAM_LIST_ENTRIES",
    kind: int({ min: 1, max: 1_000_000 }),
    default: "10000",
    scope: "process",
    reloadable: true,
    state: "active",
    doc:
      "Most entries in a list of an upstream (tools, resources, templates or prompts). A refresh that finds more fails, and " +
      "the former lists stay.",
  }),
  setting({
    name: "MAX_UPSTREAM_LIST_BYTES",
    kind: bytes({ min: 1024, max: 1_073_741_824 }),
    default: "16777216",
    scope: "process",
    reloadable: true,
    state: "active",
    doc:
      "Largest total of all pages of an upstream's lists. A refresh that finds more fails, and the former lists stay.",
  }),
  setting({
    name: "VALIDATION_MAX_JSON_DEPTH",
    kind: int({ min: 4, max: 1000 }),
    default: "30",
    scope: "process",
    reloadable: true,
    state: "active",
    doc: "Deepest nesting of the JSON in a request.",
  }),
] as const;

function requestsPerMinute<const Name extends string>(name: Name, defaultText: string, paths: string) {
  return setting({
    name,
    kind: int({ min: 1, max: 100_000_000 }),
    default: defaultText,
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: `Requests that a caller may send in a minute to ${paths}.`,
  });
}

function burst<const Name extends string>(name: Name, defaultText: string, rpm: string) {
  return setting({
    name,
    kind: int({ min: 0, max: 100_000_000 }),
    default: defaultText,
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: `Requests in a minute beyond ${rpm}.`,
  });
}

export const RATE_LIMIT_SETTINGS = [
  setting({
    name: "RATE_LIMITING_ENABLED",
    kind: bool(),
    default: "false",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Limit the requests per minute of each caller. ContextForge's default is true. The workers of a " +
      "process count together; with CACHE_TYPE `database` or `redis`, all replicas do.",
  }),
  requestsPerMinute(
    "RATE_LIMIT_MEDIUM_RPM",
    "100",
    "the MCP endpoints, and to `/tools`, `/resources`, `/prompts`, `/servers` and `/gateways`",
  ),
  burst("RATE_LIMIT_MEDIUM_BURST", "20", "RATE_LIMIT_MEDIUM_RPM"),
  requestsPerMinute("RATE_LIMIT_HIGH_RPM", "30", "`/tokens` and `/admin`"),
  burst("RATE_LIMIT_HIGH_BURST", "0", "RATE_LIMIT_HIGH_RPM"),
  requestsPerMinute(
    "RATE_LIMIT_LOW_RPM",
    "500",
    "`/metrics`, `/version` and all other paths that want a token",
  ),
  burst("RATE_LIMIT_LOW_BURST", "100", "RATE_LIMIT_LOW_RPM"),
] as const;
