// What the source of an upstream's token is made of.
import type { Clock } from "../../base/clock.ts";
import type { SluiceError } from "../../base/errors.ts";
import type { SecretBox } from "../../store/secret_box.ts";
import type { TokenKey, UpstreamTokens } from "../../store/upstream_tokens/upstream_tokens.ts";
import type { PersonLogin } from "./login/person_login.ts";
import type { LoginExchange } from "./login_exchange.ts";
import type { OAuthCredentials } from "./oauth_credentials.ts";
import type { SubjectToken } from "./token_exchange/subject_token.ts";

export type TokenOutcome = "success" | "failed";

/** How the renewal of a login of a person ended. lost: the authorization server does not renew it. */
export type RenewalOutcome = TokenOutcome | "lost";

/** Where a token is kept besides memory. */
export interface KeptTokens {
  readonly records: UpstreamTokens;
  readonly key: TokenKey;
  readonly secretBox: SecretBox;
}

export interface TokenSourceDeps {
  /** The upstream's name. */
  readonly upstream: string;
  readonly url: URL;
  readonly credentials: OAuthCredentials;
  /** See `LoginTarget`. */
  readonly read?: () => Promise<OAuthCredentials>;
  readonly exchange: LoginExchange;
  /** null: in memory alone, for a trial of an upstream that is not registered yet. */
  readonly kept: KeptTokens | null;
  /** The token comes from a login of a person; null: the gateway asks for it as itself. */
  readonly login: PersonLogin | null;
  /** The caller's token that is exchanged; null: none is. */
  readonly subject: SubjectToken | null;
  readonly clock: Clock;
  readonly count: (upstream: string, outcome: TokenOutcome) => void;
  readonly countRenewal: (outcome: RenewalOutcome) => void;
  readonly onFailure: (error: SluiceError) => void;
  /** UPSTREAM_OAUTH_TIMEOUT */
  readonly timeoutMs: number;
}
