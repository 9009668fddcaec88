// Room `logins`: passwords and logins. Other rooms use `Logins` and `PasswordHashes`.
//
// Logins with email address and password. Every failed login is answered alike, after the same time: whether the user exists, is
// locked or has another password shows nowhere. Wrong passwords lock the account for a while that doubles each time.
import { createHash } from "node:crypto";
import { type Clock, sleep } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { UserRow } from "../../store/people/person_rows.ts";
import { normalEmail, type Users } from "../../store/people/users.ts";
import type { LoginAttempts } from "./login_attempts.ts";
import type { LoginTokens } from "./login_tokens.ts";
import { MAX_PASSWORD_CHARS } from "./password_rules.ts";
import type { PasswordHashes } from "./password_hash.ts";

export interface LoginsDeps {
  readonly users: Pick<Users, "get" | "countFailure" | "noteLogin">;
  readonly hashes: PasswordHashes;
  readonly tokens: LoginTokens;
  readonly attempts: LoginAttempts;
  readonly clock: Clock;
  readonly limits: LoginLimits;
  /** May this user log in with a password? Not asked for changes of a password. */
  readonly admits: (user: UserRow) => boolean;
  readonly count: (outcome: "success" | "failure" | "locked") => void;
}

export interface LoginLimits {
  /** MAX_FAILED_LOGIN_ATTEMPTS; 0: accounts are never locked. */
  readonly failures: number;
  /** ACCOUNT_LOCKOUT_DURATION_MINUTES: the longest lock. */
  readonly longestLockMs: number;
  /** FAILED_LOGIN_MIN_RESPONSE_MS */
  readonly failureMs: number;
}

export interface Credentials {
  readonly email: string;
  readonly password: string;
  /** The client's address. */
  readonly address: string;
}

export interface Login {
  readonly user: UserRow;
  readonly token: string;
  readonly expiresInSeconds: number;
}

const MINUTE_MS = 60_000;

export class Logins {
  constructor(private readonly deps: LoginsDeps) {}

  /** @throws {SluiceError} LOGIN_FAILED, FORBIDDEN, PASSWORD_CHANGE_REQUIRED, RATE_LIMITED, OVERLOADED */
  async login(given: Credentials): Promise<Login> {
    const user = await this.verify(given);
    if (!this.deps.admits(user)) {
      throw new SluiceError("FORBIDDEN", {
        reason:
          "only administrators log in with a password here (SSO_PRESERVE_ADMIN_AUTH); sign in at an identity provider, of those in GET /auth/sso/providers",
      });
    }
    if (user.passwordChangeRequired) throw new SluiceError("PASSWORD_CHANGE_REQUIRED");
    return await this.tokenFor(user);
  }

  /** The user whose password this is. @throws {SluiceError} LOGIN_FAILED, RATE_LIMITED, OVERLOADED */
  async verify({ email, password, address }: Credentials): Promise<UserRow> {
    const { clock, limits, count } = this.deps;
    await this.deps.attempts.require([`address:${address}`, `account:${digest(normalEmail(email))}`]);
    const startedAt = clock.now();
    const user = await this.#check(email, password);
    if (user !== null) {
      count("success");
      return user;
    }
    count("failure");
    const restMs = startedAt + limits.failureMs - clock.now();
    if (restMs > 0) await sleep(clock, restMs);
    throw new SluiceError("LOGIN_FAILED");
  }

  async tokenFor(user: UserRow): Promise<Login> {
    const { tokens } = this.deps;
    return { user, token: await tokens.sign(user), expiresInSeconds: tokens.expiresInSeconds };
  }

  /**
   * Another token of the same login. The caller has ended the former one.
   * @throws {SluiceError} UNAUTHENTICATED if the login is too long ago
   */
  async renewed(
    user: UserRow,
    given: { readonly jti: string; readonly provider: string; readonly loggedInAt: number },
  ): Promise<Login> {
    const { tokens } = this.deps;
    return {
      user,
      token: await tokens.sign(user, given),
      expiresInSeconds: tokens.secondsLeft(given.loggedInAt),
    };
  }

  /** Checks that a token can be renewed now. @throws {SluiceError} UNAUTHENTICATED, RATE_LIMITED, PASSWORD_CHANGE_REQUIRED */
  async requireRenewable(user: UserRow, loggedInAt: number): Promise<void> {
    await this.deps.attempts.require([`renewal:${user.id}`]);
    if (user.passwordChangeRequired) throw new SluiceError("PASSWORD_CHANGE_REQUIRED");
    if (this.deps.tokens.secondsLeft(loggedInAt) > 0) return;
    throw new SluiceError("UNAUTHENTICATED", {
      reason: "the login is too long ago to be continued (SESSION_MAX_LIFETIME); log in again",
    });
  }

  async #check(email: string, password: string): Promise<UserRow | null> {
    const { users, hashes, clock, limits, count } = this.deps;
    const user = await users.get(email);
    const isLocked = user?.lockedUntil != null && user.lockedUntil > clock.now();
    // Counted before the password is known to be wrong, so that logins at the same time count each.
    const failures = user === null || isLocked ? 0 : await users.countFailure(email);
    const isRight = await hashes.verify(password.slice(0, MAX_PASSWORD_CHARS), user?.passwordHash ?? null);
    if (user === null) return null;
    if (isLocked) {
      count("locked");
      return null;
    }
    if (!isRight || !user.isActive) {
      const beyond = failures - limits.failures;
      if (limits.failures > 0 && beyond >= 0) {
        const lockMs = Math.min(MINUTE_MS * 2 ** Math.min(beyond, 30), limits.longestLockMs);
        await users.noteLogin(email, { lockedUntil: clock.now() + lockMs });
      }
      return null;
    }
    const { passwordHash } = user;
    const changes = {
      failedAttempts: 0,
      lockedUntil: null,
      lastLogin: new Date(clock.now()).toISOString(),
      ...(hashes.isCurrent(passwordHash!) ? {} : { passwordHash: await hashes.make(password) }),
    };
    await users.noteLogin(email, changes);
    return { ...user, ...changes };
  }
}

/** SHA-256 in hex: what is stored or counted shows no token and no address. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
