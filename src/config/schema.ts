// All settings in the order of the documentation, and the type Config that is derived from them.

import { CACHE_SETTINGS, DATABASE_SETTINGS } from "./settings/storage.ts";
import { INERT_SETTINGS } from "./settings/inert.ts";
import { LISTEN_SETTINGS, LOG_SETTINGS, WORKER_SETTINGS } from "./settings/serving.ts";
import { REPLICA_SETTINGS } from "./settings/clustering.ts";
import { AUTH_SETTINGS, EGRESS_SETTINGS, LIMIT_SETTINGS, RATE_LIMIT_SETTINGS } from "./settings/security.ts";
import { ACCOUNT_SETTINGS } from "./settings/accounts.ts";
import { REGISTRATION_SETTINGS } from "./settings/upstream_registration.ts";
import { STDIO_SETTINGS } from "./settings/stdio_upstreams.ts";
import { AUDIT_SETTINGS } from "./settings/governance/audit_settings.ts";
import { METRICS_SETTINGS } from "./settings/governance/metrics_settings.ts";
import { QUOTA_SETTINGS } from "./settings/governance/quota_settings.ts";
import { MAIL_SETTINGS } from "./settings/mail/mail_settings.ts";
import { TRACE_SETTINGS } from "./settings/governance/trace_settings.ts";
import { POOL_SETTINGS, SESSION_SETTINGS } from "./settings/sessions.ts";
import {
  HEALTH_SETTINGS,
  HTTP_CLIENT_SETTINGS,
  PASSTHROUGH_SETTINGS,
  UPSTREAM_OAUTH_SETTINGS,
} from "./settings/upstream_access.ts";
import { OAUTH_SETTINGS } from "./settings/sso/authorization_settings.ts";
import { SSO_SETTINGS } from "./settings/sso/provider_settings.ts";
import type { Setting, Unit } from "./settings/setting.ts";

const GROUPS = {
  "Listening": LISTEN_SETTINGS,
  "Workers": WORKER_SETTINGS,
  "Database": DATABASE_SETTINGS,
  "Cache and Redis": CACHE_SETTINGS,
  "Replicas": REPLICA_SETTINGS,
  "Authentication": AUTH_SETTINGS,
  "Users and teams": ACCOUNT_SETTINGS,
  "Single sign-on": SSO_SETTINGS,
  "Mail": MAIL_SETTINGS,
  "OAuth clients": OAUTH_SETTINGS,
  "Audit trail": AUDIT_SETTINGS,
  "Outbound addresses": EGRESS_SETTINGS,
  "Limits": LIMIT_SETTINGS,
  "Rate limits": RATE_LIMIT_SETTINGS,
  "Quotas": QUOTA_SETTINGS,
  "Sessions and tools": SESSION_SETTINGS,
  "Upstream session pool": POOL_SETTINGS,
  "Outbound HTTP": HTTP_CLIENT_SETTINGS,
  "Header passthrough": PASSTHROUGH_SETTINGS,
  "Logins at upstreams": UPSTREAM_OAUTH_SETTINGS,
  "Upstreams started as processes": STDIO_SETTINGS,
  "Registration of upstreams": REGISTRATION_SETTINGS,
  "Health and refresh of upstreams": HEALTH_SETTINGS,
  "Logging": LOG_SETTINGS,
  "Metrics": METRICS_SETTINGS,
  "Traces": TRACE_SETTINGS,
  "Accepted without effect": INERT_SETTINGS,
} as const satisfies Record<string, readonly Setting[]>;

type Row = (typeof GROUPS)[keyof typeof GROUPS][number];

/** The canonical name of a setting. */
export type SettingName = Row["name"];

/**
 * The effective settings, as plain data: workers receive it by structured clone. Keys are the canonical names in camelCase.
 * Durations are milliseconds, and their keys end in `Ms`. Inert settings have no key.
 */
export type Config = { readonly [R in Row as KeyOf<R>]: ValueOf<R> };

export type ConfigKey = keyof Config;

/** The settings by group, in the order of the documentation. */
export const SETTING_GROUPS: ReadonlyArray<
  { readonly title: string; readonly settings: readonly Setting[] }
> = Object.entries(GROUPS).map(([title, settings]) => ({ title, settings }));

export const SETTINGS: readonly Setting[] = SETTING_GROUPS.flatMap((group) => group.settings);

/** The key of a setting in Config, e.g. TOOL_TIMEOUT -> toolTimeoutMs; null for an inert setting. */
export function configKey(setting: Setting): ConfigKey | null {
  if (setting.state === "inert") return null;
  const camel = setting.name.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  const isDuration = setting.kind.unit === "s" || setting.kind.unit === "ms";
  return (isDuration ? `${camel}Ms` : camel) as ConfigKey;
}

type Camel<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<Camel<Tail>>}`
  : Lowercase<Name>;

type KeyOf<R extends Setting> = R["state"] extends "inert" ? never
  : R["kind"]["unit"] extends Exclude<Unit, "bytes" | "MiB" | null> ? `${Camel<R["name"]>}Ms`
  : Camel<R["name"]>;

type ValueOf<R extends Setting> = R["default"] extends null ? R["kind"]["schema"]["_output"] | null
  : R["kind"]["schema"]["_output"];
