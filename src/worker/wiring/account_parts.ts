// Makes the parts of logins from the settings.
import type { AdminDeps } from "../../admin/rest/deps.ts";
import { verifyArgon2 } from "../../auth/logins/argon2.ts";
import { LoginAttempts } from "../../auth/logins/login_attempts.ts";
import { LoginTokens } from "../../auth/logins/login_tokens.ts";
import { Logins } from "../../auth/logins/logins.ts";
import { PasswordHashes } from "../../auth/logins/password_hash.ts";
import { PasswordMails } from "../../auth/logins/password_mails.ts";
import { smtpSender } from "../../auth/logins/smtp.ts";
import type { People } from "../../auth/people.ts";
import type { Clock } from "../../base/clock.ts";
import type { Cache } from "../../cache/cache.ts";
import { mailRulesOf } from "../../config/mail.ts";
import type { Config } from "../../config/schema.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { GatewaySecrets } from "../../auth/keys/gateway_secrets.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";

export interface AccountDeps {
  readonly secrets: GatewaySecrets;
  readonly registry: Registry;
  /** Shared by the workers, if the settings share records at all. */
  readonly records: Cache;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly people: () => People;
}

/** What logins of every kind share. */
export interface AccountParts {
  readonly tokens: LoginTokens;
  readonly attempts: LoginAttempts;
}

/** Each takes 32 MiB for about 0.3 s. */
const HASHES = { maxAtOnce: 2, maxWaiting: 64 };

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export function accountParts(
  config: Config,
  { secrets, registry, records, clock, log, metrics, people }: AccountDeps,
): Pick<AdminDeps, "logins" | "passwords" | "passwordMails" | "accounts" | "apiTokens"> & AccountParts {
  const passwords = new PasswordHashes({ ...HASHES, verifyArgon2 });
  const count = metrics.counter("sluice_logins_total");
  const signer = {
    keys: secrets.tokenKeys,
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    clock,
  };
  const tokens = new LoginTokens({
    ...signer,
    ttlMs: config.tokenExpiry * MINUTE_MS,
    maxLifetimeMs: config.sessionMaxLifetime * MINUTE_MS,
  });
  const attempts = new LoginAttempts({
    ...{ counters: records, clock, perMinute: config.loginAttemptsPerMinute },
    onLimited: () => count("limited"),
  });
  const onlyAdministrators = config.ssoEnabled && config.ssoPreserveAdminAuth;
  const logins = new Logins({
    users: registry.people.users,
    hashes: passwords,
    tokens,
    attempts,
    clock,
    admits: ({ email }) => !onlyAdministrators || people().callerOf(email)?.isAdmin === true,
    limits: {
      failures: config.maxFailedLoginAttempts,
      longestLockMs: config.accountLockoutDurationMinutes * MINUTE_MS,
      failureMs: config.failedLoginMinResponseMs,
    },
    count: (outcome) => count(outcome),
  });
  const { rules } = mailRulesOf(config);
  const linkMs = config.passwordResetTokenExpiryMinutes * MINUTE_MS;
  const passwordMails = rules === null ? null : new PasswordMails({
    ...{ people: registry.people, attempts, linkMs, log, publicUrl: rules.publicUrl },
    send: smtpSender(rules),
    limit: {
      limit: config.passwordResetRateLimit,
      windowMs: config.passwordResetRateWindowMinutes * MINUTE_MS,
      settings: "PASSWORD_RESET_RATE_LIMIT",
    },
    count: metrics.counter("sluice_password_mails_total"),
  });
  return {
    logins,
    passwords,
    passwordMails,
    tokens,
    attempts,
    apiTokens: {
      signer,
      maxPerUser: config.maxApiTokensPerUser,
      requireExpiration: config.requireTokenExpiration,
    },
    accounts: {
      minPasswordChars: config.passwordMinLengthUser,
      maxTeams: config.maxTeamsPerUser,
      maxMembers: config.maxMembersPerTeam,
      passwordLinkMs: linkMs,
      loginMs: config.tokenExpiry * MINUTE_MS,
      longestLoginMs: config.sessionMaxLifetime * MINUTE_MS,
      invitationMs: config.invitationExpiryDays * DAY_MS,
    },
  };
}
