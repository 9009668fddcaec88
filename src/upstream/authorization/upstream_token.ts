// A token for an upstream as it is kept. Times are in ms since the epoch.
import type { LoginClient } from "./login/login_client.ts";
import type { FoundServer } from "./login_server.ts";

export interface UpstreamToken {
  readonly accessToken: string;
  readonly obtainedAt: number;
  /** null: the authorization server did not say. */
  readonly expiresAt: number | null;
  /** The scopes that were asked for; null: none. */
  readonly scope: string | null;
  readonly found: FoundServer;
  /** Of a login of a person. */
  readonly login?: TokenOfLogin;
}

/** The part of a token that only logins of people have. */
export interface TokenOfLogin {
  /** null: there is none. */
  readonly refreshToken: string | null;
  /** The client that the token was given to. */
  readonly client: LoginClient;
  /** The value of the parameter `resource`; null: the server does not take it. */
  readonly resource: string | null;
}
