// Settings of the authorization server: OAuth clients that log in to the gateway.
import { bool, int, oneOf, seconds, setting } from "../setting.ts";

const common = { scope: "replica", reloadable: true, state: "active" } as const;

export const OAUTH_SETTINGS = [
  setting({
    ...common,
    name: "OAUTH_AUTHORIZATION_SERVER",
    kind: oneOf(["auto", "on", "off"], { true: "on", false: "off" }),
    default: "auto",
    doc:
      "MCP clients log in at the gateway itself. `auto`: if there are users, or SSO_ENABLED. See `sluice help oauth`.",
  }),
  setting({
    ...common,
    name: "OAUTH_ACCESS_TOKEN_TTL",
    kind: seconds({ min: 30, max: 86_400 }),
    default: "3600",
    doc:
      "Lifetime of the access tokens of OAuth clients. Event streams and sessions over SSE and WebSocket end with it. Tokens " +
      "that are revoked are refused at once.",
  }),
  setting({
    ...common,
    name: "OAUTH_REFRESH_TOKEN_TTL",
    kind: seconds({ min: 60 }),
    default: "1209600",
    doc: "Time after which a client that has not refreshed its access token needs its user to log in again.",
  }),
  setting({
    ...common,
    name: "OAUTH_DYNAMIC_REGISTRATION",
    kind: bool(),
    default: "true",
    doc: "OAuth clients register themselves (RFC 7591). Most MCP clients need it.",
  }),
  setting({
    ...common,
    name: "OAUTH_CLIENT_METADATA_DOCUMENTS",
    kind: bool(),
    default: "true",
    doc: "The id of an OAuth client may be the https address of its metadata, which the gateway reads there.",
  }),
  setting({
    ...common,
    name: "OAUTH_MAX_CLIENTS",
    kind: int({ min: 10, max: 1_000_000 }),
    default: "10000",
    doc: "Clients that may be registered. Further ones replace clients that nobody has used.",
  }),
  setting({
    ...common,
    name: "OAUTH_CLIENT_TTL_DAYS",
    kind: int({ min: 1, max: 3_650, hint: "days" }),
    default: "90",
    doc: "Days after its last use, or its registration, until a client has to register again.",
  }),
  setting({
    ...common,
    name: "OAUTH_MAX_APPLICATIONS_PER_USER",
    kind: int({ min: 1, max: 10_000 }),
    default: "100",
    doc: "Applications that a user may have connected, each at one MCP endpoint.",
  }),
  setting({
    ...common,
    name: "OAUTH_REQUESTS_PER_MINUTE",
    kind: int({ min: 1, max: 1_000_000 }),
    default: "300",
    doc:
      "Authorizations, token requests and revocations that one address may send in a minute. With CACHE_TYPE=memory each " +
      "worker counts for itself.",
  }),
  setting({
    ...common,
    name: "OAUTH_REGISTRATIONS_PER_HOUR",
    kind: int({ min: 1, max: 1_000_000 }),
    default: "60",
    doc:
      "Clients that one address may register in an hour. With CACHE_TYPE=memory each worker counts for itself.",
  }),
] as const;
