// ContextForge's settings that protect something or let somebody in, and that have no effect here.

/** Names separated by spaces, of which one with an asterisk stands for all names that begin so; there; here; same value. */
export type ForeignRow = readonly [names: string, there: string, here: string, same?: string];

export const PROTECTIONS: readonly ForeignRow[] = [
  [
    "MCPGATEWAY_UI_ENABLED",
    "switches the pages of administration on",
    "the pages at /admin are always served, and need a login; a proxy in front can refuse the path",
    "true",
  ],
  [
    "PLUGINS_ENABLED PLUGIN_CONFIG_FILE PLUGINS_*",
    "runs plugins that filter calls and results",
    "the gateway has no plugins, and nothing is filtered",
    "false",
  ],
  [
    "TRUST_PROXY_AUTH TRUST_PROXY_AUTH_DANGEROUSLY PROXY_USER_HEADER",
    "takes the user's name from a header that a proxy adds",
    "a caller is known by a bearer token only",
    "false",
  ],
  [
    "MCP_CLIENT_AUTH_ENABLED MCP_REQUIRE_AUTH",
    "says whether the MCP endpoints need a token",
    "AUTH_REQUIRED says it for all endpoints",
    "true",
  ],
  [
    "ALLOW_UNAUTHENTICATED_ADMIN",
    "makes callers without a token administrators",
    "a caller without a token is never an administrator",
    "false",
  ],
  [
    "EMBED_ENVIRONMENT_IN_TOKENS DERIVE_KEY_PER_ENVIRONMENT",
    "binds new tokens to one environment",
    "new tokens name no environment; give each environment its own JWT_SECRET_KEY",
    "false",
  ],
  [
    "JWT_AUDIENCE_VERIFICATION JWT_ISSUER_VERIFICATION",
    "says whether the claims `aud` and `iss` are checked",
    "both claims are always checked, against JWT_AUDIENCE and JWT_ISSUER",
    "true",
  ],
  ["AUTH_HEADER_NAME", "names the header of the token", "the header is Authorization", "authorization"],
  [
    "API_ALLOW_BASIC_AUTH DOCS_ALLOW_BASIC_AUTH BASIC_AUTH_USER BASIC_AUTH_PASSWORD",
    "lets callers in by HTTP basic authentication",
    "a bearer token is the only credential",
    "false",
  ],
  [
    "EMAIL_AUTH_ENABLED PUBLIC_REGISTRATION_ENABLED PROTECT_ALL_ADMINS PLATFORM_ADMIN_PASSWORD PLATFORM_ADMIN_FULL_NAME " +
    "DEFAULT_USER_PASSWORD ADMIN_REQUIRE_PASSWORD_CHANGE_ON_BOOTSTRAP DETECT_DEFAULT_PASSWORD_ON_LOGIN " +
    "REQUIRE_PASSWORD_CHANGE_FOR_DEFAULT_PASSWORD " +
    "ACCOUNT_LOCKOUT_NOTIFICATION_ENABLED PASSWORD_MIN_LENGTH PASSWORD_MIN_LENGTH_PRIVILEGED PASSWORD_MIN_LENGTH_SERVICE PASSWORD_REQUIRE_* PASSWORD_RESET_ENABLED PASSWORD_RESET_INVALIDATE_SESSIONS PASSWORD_RESET_MIN_RESPONSE_MS PASSWORD_POLICY_* PASSWORD_CHANGE_* PASSWORD_HISTORY_COUNT " +
    "PASSWORD_PREVENT_REUSE PASSWORD_MAX_AGE_DAYS PASSWORD_ERROR_MESSAGE_MAX_LENGTH MIN_PASSWORD_LENGTH ARGON2ID_*",
    "governs logins by email and password",
    "passwords have a least length (PASSWORD_MIN_LENGTH_USER), and their hashes one cost; the first administrator is made " +
    "with the one-time token that the start prints; SMTP_ENABLED alone decides about links by mail, which are sent behind the answer, " +
    "and a new password ends all tokens",
  ],
  [
    "SSO_GITHUB_*",
    "governs sign-in with GitHub",
    "GitHub has no OpenID Connect for people; put a provider in front that has both, as SSO_PROVIDERS",
  ],
  [
    "SSO_ADFS_* SSO_IBM_VERIFY_*",
    "governs sign-in with this provider",
    "SSO_PROVIDERS takes any provider of OpenID Connect",
  ],
  [
    "SSO_API_TOKEN_AUTH_ENABLED SSO_ISSUERS EXTERNAL_IDENTITY_CACHE_TTL",
    "takes tokens of identity providers",
    "JWT_ISSUERS does",
  ],
  [
    "SSO_ENTRA_GRAPH_API_*",
    "asks Microsoft Graph for the groups of people in more than 200",
    "such people are refused; let Entra send only the groups that are assigned to the application, or app roles",
    "false",
  ],
  [
    "SSO_ENTRA_SYNC_ROLES_ON_LOGIN SSO_GENERIC_SYNC_ROLES_ON_LOGIN",
    "takes roles away at a sign-in",
    "each sign-in sets the teams and roles that the groups give",
    "true",
  ],
  [
    "SSO_*",
    "governs single sign-on",
    "SSO_PROVIDERS governs it",
  ],
  [
    "DEFAULT_ADMIN_ROLE DEFAULT_USER_ROLE DEFAULT_TEAM_OWNER_ROLE DEFAULT_TEAM_MEMBER_ROLE MCPGATEWAY_BOOTSTRAP_ROLES_*",
    "gives users their roles",
    "users are platform_viewer, owners of a team are team_admin there, and members viewer; assign further roles by REST",
  ],
  [
    "TOKEN_IDLE_TIMEOUT SESSION_REFRESH_RATE_LIMIT SESSION_WARNING_TIME " +
    "SESSION_REFRESH_BUFFER SESSION_ACTIVITY_TRACKING TOKEN_BLOCKLIST_CLEANUP_HOURS",
    "limits the lifetime of login tokens",
    "a login lasts for TOKEN_EXPIRY, and with POST /auth/refresh for SESSION_MAX_LIFETIME; other tokens expire when their claim `exp` says so",
  ],
  [
    "ALLOW_PUBLIC_VISIBILITY",
    "says whether entities may be public",
    "entities may be public, and are by default",
    "true",
  ],
  [
    "CSRF_ENABLED CSRF_*",
    "protects logins by cookie from forged requests",
    "only the pages at /admin accept a cookie, and their forms need the Origin of the gateway; other endpoints refuse browsers whose " +
    "origin is not in ALLOWED_ORIGINS",
  ],
  [
    "CORS_ALLOW_CREDENTIALS",
    "lets web pages of other origins send cookies",
    "the API accepts no cookies; a page of another origin sends its token in the Authorization header",
    "false",
  ],
  [
    "SECURITY_HEADERS_ENABLED X_FRAME_OPTIONS X_CONTENT_TYPE_OPTIONS_ENABLED X_XSS_PROTECTION_ENABLED " +
    "X_DOWNLOAD_OPTIONS_ENABLED HSTS_* REMOVE_SERVER_HEADERS SECURE_COOKIES COOKIE_SAMESITE",
    "adds security headers for browsers",
    "pages have a Content-Security-Policy that forbids frames, X-Content-Type-Options, and cookies with HttpOnly and SameSite; add " +
    "Strict-Transport-Security and headers of the API at the proxy in front",
    "false",
  ],
  [
    "SKIP_SSL_VERIFY",
    "accepts any certificate of an upstream",
    "certificates are always verified; register the upstream with its `ca_certificate`",
    "false",
  ],
  [
    "RATE_LIMIT_CRITICAL_* RATE_LIMIT_LOCKOUT_* VALIDATION_MAX_REQUESTS_PER_MINUTE",
    "limits and locks out callers who fail to log in",
    "LOGIN_ATTEMPTS_PER_MINUTE limits logins, and MAX_FAILED_LOGIN_ATTEMPTS wrong passwords lock an account; RATE_LIMIT_HIGH_RPM, " +
    "RATE_LIMIT_MEDIUM_RPM and RATE_LIMIT_LOW_RPM limit other requests",
  ],
  [
    "TOOL_RATE_LIMIT TOOL_CONCURRENT_LIMIT",
    "is meant to limit the calls of each tool",
    "QUOTA_TOOL and POST /quotas limit the calls of a tool; RATE_LIMITING_ENABLED limits the requests of a caller",
  ],
  [
    "REDIS_SSL_CERTFILE REDIS_SSL_KEYFILE REDIS_SSL_CHECK_HOSTNAME",
    "governs TLS to Redis",
    "REDIS_URL=rediss://... always checks certificate and host name; the gateway presents no certificate of its own",
  ],
  [
    "ALLOWED_ROOTS MAX_PATH_DEPTH MAX_PARAM_LENGTH DANGEROUS_PATTERNS EXPERIMENTAL_VALIDATE_IO SANITIZE_OUTPUT " +
    "VALIDATION_MIDDLEWARE_ENABLED VALIDATION_STRICT VALIDATION_DANGEROUS_HTML_PATTERN VALIDATION_DANGEROUS_JS_PATTERN " +
    "META_MAX_* TOOL_DESCRIPTION_FORBIDDEN_PATTERNS_ENABLED TOOL_DESCRIPTION_FORBIDDEN_PATTERNS",
    "refuses or cleans arguments and results that look dangerous",
    "arguments and results pass unchanged; MAX_BODY_BYTES and VALIDATION_MAX_JSON_DEPTH limit their size",
    "false",
  ],
  [
    "INSECURE_ALLOW_QUERYPARAM_AUTH INSECURE_QUERYPARAM_AUTH_ALLOWED_HOSTS",
    "says which upstreams may take their credentials in the URL",
    'every upstream may, with auth_type "query_param"',
  ],
  [
    "IDENTITY_PROPAGATION_* IDENTITY_SENSITIVE_ATTRIBUTES IDENTITY_SIGN_CLAIMS IDENTITY_CLAIMS_SECRET",
    "tells upstreams who calls",
    "upstreams are not told; ENABLE_HEADER_PASSTHROUGH can pass request headers on",
    "false",
  ],
  [
    "ENABLE_ED25519_SIGNING ED25519_* PREV_ED25519_*",
    "signs the CA certificates of upstreams",
    "CA certificates are stored unsigned",
    "false",
  ],
  [
    "MIN_SECRET_LENGTH REQUIRE_STRONG_SECRETS SENTINEL_VALUES WEAK_VALUES",
    "says which secrets are too weak",
    "a secret needs 32 characters, and must not be a placeholder",
  ],
  [
    "PERMISSION_AUDIT_ENABLED SECURITY_LOGGING_ENABLED SECURITY_LOGGING_LEVEL SECURITY_FAILED_AUTH_THRESHOLD " +
    "SECURITY_THREAT_SCORE_ALERT SECURITY_RATE_LIMIT_WINDOW_MINUTES SIEM_*",
    "records security events",
    "AUDIT_TRAIL_ENABLED=true records logins, refused requests and every write; AUDIT_SYSLOG_URL and AUDIT_WEBHOOK_URL send the records on",
    "false",
  ],
  [
    "HEADER_SIZE_VALIDATION_ENABLED MAX_HEADER_TOTAL_SIZE_BYTES MAX_HEADER_FIELD_SIZE_BYTES MAX_HEADER_COUNT",
    "limits the headers of a request",
    "Deno's HTTP server has limits of its own, which cannot be set",
  ],
  [
    "GATEWAY_TEST_* UAID_* ROOT_ALLOWED_SCHEMES ROOT_ALLOW_FILE_SCHEME ROOT_ALLOWED_FILE_PREFIXES",
    "says which addresses features that are not here may reach",
    "SSRF_ALLOW_PRIVATE_NETWORKS and its like govern every outbound address",
  ],
  [
    "EXPOSE_ERROR_DETAILS",
    "says whether errors tell their causes",
    "errors carry a code and a sentence; causes are in the log",
    "false",
  ],
  [
    "DCR_* OAUTH_REQUEST_TIMEOUT OAUTH_DEFAULT_TIMEOUT OAUTH_MAX_RETRIES OAUTH_REQUIRE_CONFIGURED_RESOURCE " +
    "OAUTH_DISCOVERY_ENABLED OAUTH_PREFERRED_CODE_CHALLENGE_METHOD",
    "governs OAuth to upstreams",
    'each upstream has its own oauth_config with auth_type "oauth", and the gateway registers itself where it is given no client; ' +
    "UPSTREAM_OAUTH_TIMEOUT limits each request",
  ],
];
