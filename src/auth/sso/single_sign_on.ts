// Sign-in of people at identity providers: from the start in a browser to a login token, and back out by the logout of either side.
import type { Clock } from "../../base/clock.ts";
import { SluiceError, toSluiceError } from "../../base/errors.ts";
import type { SsoProvider } from "../../config/sso_providers.ts";
import type { SecretBox } from "../../store/secret_box.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { PeopleStore } from "../../store/people/people_store.ts";
import type { SsoSessionRow, UserRow } from "../../store/people/person_rows.ts";
import { digest, type Login } from "../logins/logins.ts";
import type { LoginTokens } from "../logins/login_tokens.ts";
import type { SsoAccounts } from "./sso_accounts.ts";
import { type PendingLogin, type PendingLogins, type SetCookie, startAgain } from "./pending_login.ts";
import { type Identified, LOGOUT_TOKEN_AGE_MS, type ProviderClient } from "./provider.ts";

export type SignInOutcome = "success" | "refused" | "start_again" | "provider_failed" | "failed";
export type LogoutOutcome = "success" | "refused" | "failed";

export interface SingleSignOnDeps {
  readonly clients: readonly ProviderClient[];
  readonly accounts: SsoAccounts;
  readonly pending: PendingLogins;
  readonly tokens: LoginTokens;
  readonly store: Pick<Registry, "people" | "transaction">;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  /** SSO_LOGIN_TIMEOUT */
  readonly timeoutMs: number;
  /** After a write of users, teams, roles or revocations. */
  readonly changed: () => Promise<void>;
  readonly countSignIn: (provider: string, outcome: SignInOutcome) => void;
  readonly countLogout: (provider: string, outcome: LogoutOutcome) => void;
}

export interface Start {
  /** The gateway's address that the provider sends the person back to. */
  readonly redirectUri: string;
  readonly next: string;
  readonly wantsToken: boolean;
  readonly cookies: ReadonlyMap<string, string>;
}

export interface Started {
  /** Where the person signs in. */
  readonly url: URL;
  readonly state: string;
  readonly cookies: readonly SetCookie[];
}

export interface SignedIn {
  readonly login: Login;
  readonly provider: SsoProvider;
  readonly pending: PendingLogin;
  readonly cookies: readonly SetCookie[];
}

/** A longer ID token is not kept. The provider then asks the person whether to log out. */
const MAX_KEPT_TOKEN_CHARS = 8_192;

export class SingleSignOn {
  readonly #deps: SingleSignOnDeps;
  readonly #clients: ReadonlyMap<string, ProviderClient>;

  constructor(deps: SingleSignOnDeps) {
    this.#deps = deps;
    this.#clients = new Map(deps.clients.map((client) => [client.provider.id, client]));
  }

  get providers(): readonly SsoProvider[] {
    return this.#deps.clients.map(({ provider }) => provider);
  }

  /** @throws {SluiceError} NOT_FOUND, SSO_PROVIDER_FAILED */
  async start(id: string, { redirectUri, next, wantsToken, cookies }: Start): Promise<Started> {
    const client = this.#client(id);
    return await this.#counted(id, "start", async () => {
      const binding = await client.bind(redirectUri);
      const url = await client.authorizationUrl(binding);
      const set = await this.#deps.pending.begin(id, { ...binding, next, wantsToken }, cookies);
      return { url, state: binding.state, cookies: set };
    });
  }

  /**
   * @param answer the query of the address that the person came back to
   * @throws {SluiceError} NOT_FOUND, SSO_START_AGAIN, SSO_REFUSED, SSO_PROVIDER_FAILED
   */
  async finish(
    id: string,
    answer: URLSearchParams,
    cookies: ReadonlyMap<string, string>,
  ): Promise<SignedIn> {
    const client = this.#client(id);
    return await this.#counted(id, "end", async () => {
      const { pending: logins, store: { people }, accounts, timeoutMs } = this.#deps;
      const pending = await logins.find(id, answer.get("state"), cookies);
      if (!await people.sso.use(`state:${digest(pending.state)}`, timeoutMs)) {
        throw startAgain("its answer has been used already");
      }
      const person = await client.identify(answer, pending);
      const { user, hasChanged } = await accounts.userOf(client.provider, person);
      const { login, hasRevoked } = await this.#logIn(client.provider, person, user);
      if (hasChanged || hasRevoked) await this.#deps.changed();
      return { login, provider: client.provider, pending, cookies: [logins.ended(pending.state)] };
    });
  }

  /** Forgets the session of a login token that has ended. @returns where the person ends it at the provider too; null: nowhere */
  async logout(jti: string): Promise<string | null> {
    const { store, secretBox } = this.#deps;
    const session = await store.people.sso.take(jti);
    const client = session === null ? undefined : this.#clients.get(session.provider);
    if (session === null || client === undefined) return null;
    const { idToken } = session;
    // A key that was changed since is no reason to stay logged in.
    const hint = idToken === null ? null : await secretBox.open(idToken, ownerOf(session)).catch(() => null);
    return await client.logoutUrl(hint);
  }

  /** The session of a login token belongs to the token that replaces it, so that the provider's logout ends that one. */
  async renew(
    people: PeopleStore,
    from: string,
    to: { readonly jti: string; readonly expiresAt: number },
  ): Promise<void> {
    const { secretBox } = this.#deps;
    const session = await people.sso.take(from);
    if (session === null) return;
    const hint = session.idToken === null
      ? null
      : await secretBox.open(session.idToken, ownerOf(session)).catch(() => null);
    const idToken = hint === null ? null : await secretBox.seal(hint, ownerOf(to));
    await people.sso.insert({ ...session, ...to, idToken });
  }

  /**
   * Ends the login tokens of a provider's session, as its logout token asks.
   * @throws {SluiceError} NOT_FOUND, SSO_REFUSED, TOKEN_KEYS_UNAVAILABLE
   */
  async backchannelLogout(id: string, token: string): Promise<void> {
    const client = this.#client(id);
    const { store, changed, countLogout } = this.#deps;
    try {
      const { jti, subject, sid } = await client.verifyLogout(token);
      // Twice the age, since a token may be of the near future.
      if (!await store.people.sso.use(`logout:${digest(`${id} ${jti}`)}`, 2 * LOGOUT_TOKEN_AGE_MS)) {
        throw new SluiceError("SSO_REFUSED", {
          provider: client.provider.display_name,
          reason: "the logout token was used before",
        });
      }
      const ended = await store.transaction(async ({ people, revokedTokens }) => {
        const sessions = await people.sso.takeAll({ provider: id, subject, sid });
        for (const session of sessions) await revokedTokens.revoke(revocationOf(session));
        return sessions.length;
      });
      if (ended > 0) await changed();
      countLogout(id, "success");
    } catch (error) {
      countLogout(id, toSluiceError(error).code === "SSO_REFUSED" ? "refused" : "failed");
      throw error;
    }
  }

  #client(id: string): ProviderClient {
    const client = this.#clients.get(id);
    if (client === undefined) throw new SluiceError("NOT_FOUND", { what: "Provider" });
    return client;
  }

  async #logIn(
    provider: SsoProvider,
    { subject, sid, idToken }: Identified,
    user: UserRow,
  ): Promise<{ login: Login; hasRevoked: boolean }> {
    const { tokens, store, secretBox, clock } = this.#deps;
    const jti = crypto.randomUUID();
    const token = await tokens.sign(user, { jti, provider: provider.id });
    const session = {
      jti,
      provider: provider.id,
      subject,
      sid,
      userId: user.id,
      expiresAt: clock.now() + tokens.expiresInSeconds * 1000,
    };
    const sealed = idToken.length > MAX_KEPT_TOKEN_CHARS
      ? null
      : await secretBox.seal(idToken, ownerOf(session));
    const lastLogin = new Date(clock.now()).toISOString();
    const beyond = await store.transaction(async ({ people, revokedTokens }) => {
      const ended = await people.sso.insert({ ...session, idToken: sealed });
      for (const each of ended) await revokedTokens.revoke(revocationOf(each));
      await people.users.noteLogin(user.email, { lastLogin });
      return ended;
    });
    const login = { user: { ...user, lastLogin }, token, expiresInSeconds: tokens.expiresInSeconds };
    return { login, hasRevoked: beyond.length > 0 };
  }

  async #counted<T>(id: string, part: "start" | "end", run: () => Promise<T>): Promise<T> {
    const { countSignIn } = this.#deps;
    try {
      const result = await run();
      if (part === "end") countSignIn(id, "success");
      return result;
    } catch (error) {
      countSignIn(id, outcomeOf(error));
      throw error;
    }
  }
}

function outcomeOf(error: unknown): SignInOutcome {
  switch (toSluiceError(error).code) {
    case "SSO_REFUSED":
      return "refused";
    case "SSO_START_AGAIN":
      return "start_again";
    case "SSO_PROVIDER_FAILED":
      return "provider_failed";
    default:
      return "failed";
  }
}

function ownerOf({ jti }: Pick<SsoSessionRow, "jti">): string {
  return `sso-session:${jti}`;
}

function revocationOf({ jti, provider, expiresAt }: Pick<SsoSessionRow, "jti" | "provider" | "expiresAt">) {
  return { jti, revokedBy: null, reason: `logout at ${provider}`, expiresAt };
}
