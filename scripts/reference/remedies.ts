// What to do about each error. The manual's page of errors shows it below the error's row.

import type { ErrorCode } from "../../src/base/errors.ts";

export const REMEDIES: Readonly<Record<ErrorCode, string>> = {
  PARSE_ERROR: "Send valid JSON, in UTF-8.",
  INVALID_REQUEST: "Mend the message as the text says.",
  METHOD_NOT_FOUND: "Check the method's name. On `/rpc`, any other method is the name of a tool.",
  INVALID_PARAMS: "Mend the parameters as the text says. `tools/list` has the schema of each tool.",
  TOOL_NOT_FOUND:
    "`tools/list` with the same token and address shows the names. The tool may be disabled, or not visible to this token.",
  PROMPT_NOT_FOUND: "`prompts/list` with the same token and address shows the names.",
  RESOURCE_NOT_FOUND:
    "`resources/list` and `resources/templates/list` with the same token and address show the URIs.",
  NAME_AMBIGUOUS: "Use one of the names in the text. They have the name of the upstream in front.",
  CLIENT_DID_NOT_ANSWER: "Answer the question in time, or raise `MCP_CLIENT_REQUEST_TIMEOUT`.",
  BODY_TOO_LARGE: "Send less, or raise `MAX_BODY_BYTES`.",
  BODY_TIMEOUT: "Check the client's network, or raise `HTTP_BODY_TIMEOUT`.",
  BODY_TOO_DEEP: "Send flatter JSON, or raise `VALIDATION_MAX_JSON_DEPTH`.",
  BATCH_TOO_LONG: "Split the batch.",
  UNSUPPORTED_MEDIA_TYPE: "Send the header `Content-Type: application/json`.",
  UNSUPPORTED_ENCODING: "Send the body in one of the encodings in the text, or without one.",
  NOT_ACCEPTABLE: "Send the header `Accept: application/json, text/event-stream`.",
  METHOD_NOT_ALLOWED: "Use one of the methods in the text. [The REST API](api.md) has every route.",
  HTTP_VERSION_REFUSED: "Use that version, or change `HTTP_VERSION`.",
  UPGRADE_REQUIRED: "Connect a WebSocket client. For streamable HTTP use `/mcp`.",
  TOO_MANY_CALLS: "Wait for responses before the next call, or open a second connection.",
  TOO_MANY_SESSIONS:
    "End sessions with DELETE, or raise `MAX_SESSIONS_PER_CALLER`. Give each user a token of his own.",
  TOO_MANY_CALLS_OF_CALLER:
    "Send fewer calls at once, or raise `MAX_CALLS_PER_CALLER`. Give each user a token of his own.",
  TOO_MANY_STREAMS_OF_CALLER:
    "Close streams, or raise `MAX_STREAMS_PER_CALLER`. Give each user a token of his own.",
  TOO_MANY_PENDING_OF_CALLER: "Answer the questions of upstreams, or raise `MAX_STREAMS_PER_CALLER`.",
  CLIENT_MEMORY_FULL: "Read the streams that are open, end sessions, or raise `MAX_CLIENT_MEMORY_MB`.",
  RATE_LIMITED: "Wait for the seconds in `Retry-After`, or raise the settings in the text.",
  QUOTA_EXCEEDED:
    "Wait for the seconds in `Retry-After` or `data.retryAfter`, or raise the quota at `/quotas`.",
  TOKEN_RESTRICTED:
    "Use the token as its limits say, or have its owner change them: `PUT /tokens/{id}`. `TRUSTED_PROXY_NETWORKS` names proxies whose clients count.",
  TOKEN_LIMIT_REACHED:
    "Wait for the seconds in `Retry-After`, or have the owner of the token raise its limit.",
  UNAUTHENTICATED:
    "Send `Authorization: Bearer TOKEN`. `sluice token` makes a token; the text says what is wrong with this one.",
  LOGIN_FAILED:
    "Check email and password. An account that is locked opens by itself, or by `POST /auth/email/admin/users/{email}/unlock`.",
  PASSWORD_CHANGE_REQUIRED:
    "Send `email`, `old_password` and `new_password` to `POST /auth/change-password`; it needs no token.",
  SSO_START_AGAIN:
    "Start again at `/auth/sso/login/{provider}`, in one browser, which takes cookies, at one address of the gateway (`GATEWAY_PUBLIC_URL`).",
  SSO_REFUSED:
    "The text says who can allow it. `sluice help sso` has the fields of a provider: domains, accounts that exist already, groups.",
  FORBIDDEN: "Use a token with this permission. `sluice token --admin` makes an administrator's.",
  OAUTH_LIMITED:
    "Wait as long as `Retry-After` says. People behind one address share the limit: raise the setting that the text names, and set `TRUSTED_PROXY_NETWORKS` behind a proxy.",
  INSUFFICIENT_SCOPE:
    "OAuth clients ask for the scopes of the `WWW-Authenticate` header, and their user allows them. Other clients: use an API token with the permission.",
  ORIGIN_DENIED: "Add the origin of the web page to `ALLOWED_ORIGINS`.",
  HOST_DENIED: "Add the host name to `ALLOWED_HOSTS`, or call the gateway by a name that is allowed.",
  NOT_FOUND: "Check the path and the id. An entry that the token may not see counts as absent.",
  CONFLICT: "The text names the other entry. Choose another name, or change that entry.",
  VALIDATION_FAILED: "Mend the fields that `detail` names. [The REST API](api.md) has all fields.",
  EGRESS_DENIED: "The text names the `SSRF_…` setting that allows this address.",
  COMMAND_DENIED: "The text names the `STDIO_…` setting that allows this command.",
  SESSION_NOT_FOUND: "Send `initialize` again without the session id. Clients do that by themselves.",
  UNSUPPORTED_PROTOCOL_VERSION: "Use one of the versions in the text, or change `MCP_REVISIONS`.",
  SESSION_REQUIRED:
    "A client that knows sessions goes on with `initialize` by itself. For clients of 2026-07-28 alone, set `MCP_REVISIONS=all` or " +
    "`revisions` of the virtual server.",
  HEADER_MISMATCH: "Send a header that agrees with the body, or leave it out.",
  MISSING_CLIENT_CAPABILITY: "Declare the capability in the client, if it has it.",
  REQUEST_CANCELLED: "Nothing: the client has cancelled the request or closed its connection.",

  UPSTREAM_CONNECT_FAILED: "Check that the upstream runs and that the gateway's machine reaches its address.",
  UPSTREAM_TLS_FAILED:
    "For a private authority, register the upstream with `ca_certificate` (PEM). [Network](network.md) has more.",
  UPSTREAM_CLOSED: "Look into the upstream's log: it ended the connection in the middle of the call.",
  SSO_PROVIDER_FAILED:
    "The log has the cause under the correlation id. Check the provider's issuer, client_id and client_secret, and that the " +
    "gateway may reach it (`SSRF_ALLOWED_NETWORKS`). `sluice help sso` has the usual faults.",
  UPSTREAM_TIMEOUT:
    "Raise the setting in the text, or `timeout_ms` of the tool, if the upstream needs that long.",
  UPSTREAM_HTTP_ERROR: "Look into the upstream's log. For 404, check the path of its URL.",
  UPSTREAM_LOGIN_FAILED:
    "Read the reason. Correct `oauth_config` with `PUT /gateways/{id}`, or look into the log of the upstream's authorization server. " +
    "See [logging in to upstreams](upstreams.md#oauth).",
  UPSTREAM_AUTH_FAILED: "Give the upstream's current credentials with `PUT /gateways/{id}`.",
  UPSTREAM_LOGIN_NEEDED:
    "Open the link, sign in to the gateway, and connect the upstream. Set `GATEWAY_PUBLIC_URL` if the link does not lead to the gateway. See [logins of people](upstreams.md#logins-of-people).",
  UPSTREAM_TOKEN_NEEDED:
    "Call with an access token of an identity provider that `JWT_ISSUERS` names and the upstream's authorization server knows. " +
    "See [token exchange](upstreams.md#token-exchange).",
  URL_ELICITATION_REQUIRED:
    "Open the link, sign in to the gateway, and connect the upstream. The client declares that it opens links, and its user has not connected within `MCP_CLIENT_REQUEST_TIMEOUT`.",
  UPSTREAM_PROTOCOL_ERROR:
    "Check that the URL is that of an MCP server, and its transport. Otherwise the server is at fault.",
  UPSTREAM_RESPONSE_TOO_LARGE: "Ask the tool for less, or raise `MAX_UPSTREAM_RESPONSE_BYTES`.",
  UPSTREAM_LIST_TOO_LARGE: "Raise the setting in the text, or have the upstream list less.",
  UPSTREAM_REJECTED: "The text has the upstream's own reason.",
  UPSTREAM_SESSION_EXPIRED: "Call again. If it happens often, the upstream restarts or needs sticky routing.",
  UPSTREAM_STATE_LOST: "Call again, and repeat first what the tool had to remember.",
  UPSTREAM_NEEDS_INPUT:
    "Use a client that answers this kind of question, over an address that can carry it: not `/rpc`.",
  UPSTREAM_DISABLED:
    "The text has the reason. Switch the upstream on with `POST /gateways/{id}/state?activate=true`.",
  UPSTREAM_CIRCUIT_OPEN:
    "Mend the upstream: several calls in a row have failed. The breaker closes by itself.",
  SESSION_POOL_TIMEOUT:
    "The upstream is slow or busy. Raise `MCP_SESSION_POOL_MAX_PER_KEY` if it can serve more at once.",
  SESSION_POOL_FULL: "The text names the limit that is reached.",
  HTTP_POOL_TIMEOUT: "Raise `HTTP_CLIENT_MAX_CONNECTIONS`, or find the slow upstream.",
  STDIO_LIMIT_REACHED:
    "Raise the setting in the text, or set `isolation` of the upstream to `caller` or `shared`.",

  CANNOT_LISTEN:
    "Choose another `PORT`, or stop the program that has it. `--takeover` replaces a running gateway.",
  CERTIFICATE_UNUSABLE: "Check `CERT_FILE`, `KEY_FILE` and `KEY_FILE_PASSWORD`.",
  WORKERS_KEEP_DYING: "The log has the error of each worker. Report it, if it is the gateway's own.",
  GATEWAY_UNREACHABLE: "Check the address, that the gateway runs, and the token of `--token-file`.",
  OVERLOADED:
    "Retry after the seconds in `Retry-After`. If it lasts, raise `BACKPRESSURE` or `WORKERS`, or add a replica.",
  TOO_MANY_STREAMS: "Raise `MAX_STREAMS` and the limit of open files, or add a replica.",
  TOO_MANY_PARKED: "Have clients answer questions of upstreams, or raise `MAX_STREAMS`.",
  SHUTTING_DOWN: "Retry. Another replica or the gateway's successor answers.",
  TOKEN_KEYS_UNAVAILABLE:
    "The gateway cannot read the `jwks_uri` of this issuer, and has no keys from earlier. The log line `keys of a token issuer " +
    "cannot be read` has the reason: [tokens](tokens.md#tokens-of-an-identity-provider).",
  WORKER_GONE: "Retry. Another worker takes the session over.",
  STORE_UNAVAILABLE:
    "Check the database of `DATABASE_URL`. Calls go on meanwhile; changes and reads of the registry do not.",
  STORE_POOL_TIMEOUT: "Raise `DB_POOL_SIZE`, if the database allows more connections.",
  AUDIT_UNAVAILABLE:
    "The log has the reason why the database refuses audit records. `AUDIT_WHEN_FULL=drop` serves on without them.",
  CACHE_UNAVAILABLE: "Check the Redis of `REDIS_URL`. Open sessions go on meanwhile.",
  REPLICA_UNREACHABLE: "Check that `REPLICA_ADDRESS` of each replica leads to it from the others.",
  REPLICA_UNTRUSTED:
    "Give each replica a certificate for its `REPLICA_ADDRESS`, by an authority of `REPLICA_SSL_CA_CERTS`.",
  REPLICA_INCOMPATIBLE: "Finish the upgrade of all replicas.",
  STORE_CANNOT_OPEN: "Check `DATABASE_URL`, and that the gateway's user may write to the folder.",
  SECRETS_UNUSABLE:
    "Check the file and its owner. Without it, sessions and stored credentials are lost; restore it from a backup.",
  CANNOT_BACK_UP: "The text has the reason and, for PostgreSQL, the command to use.",
  CANNOT_RESTORE: "The text has the reason and, for PostgreSQL, the command to use.",
  CONFIG_TEXT_INVALID: "Mend the text at the place that the message names.",
  CONFIG_FILE_UNUSABLE: "Check the file's path, its owner, and its JSON.",
  PROBE_FAILED: "Leave `--probe` away: `sluice tune` then assumes the project's own measurement.",
  SOURCE_UNUSABLE:
    "Nothing was imported. The text has the reason; [Moving from ContextForge](contextforge.md#how-to-move) has the steps.",
  SECRET_UNREADABLE:
    "Set the former `AUTH_ENCRYPTION_SECRET` again, or give the credentials anew with `PUT /gateways/{id}`.",
  SETTINGS_INVALID: "Mend the settings that the text names. `sluice config` shows where each comes from.",
  USAGE_INVALID: "`sluice COMMAND --help` shows the flags.",
  INTERNAL: "Report it with the log line of the same correlation id: this is a fault of the gateway.",
};
