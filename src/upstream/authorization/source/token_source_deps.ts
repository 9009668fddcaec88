// What the source of an upstream's token is made of, and where it gets new ones.
import type { Clock } from "../../../base/clock.ts";
import type { SluiceError } from "../../../base/errors.ts";
import type { SecretBox } from "../../../store/secret_box.ts";
import type { TokenKey, UpstreamTokens } from "../../../store/upstream_tokens/upstream_tokens.ts";
import type { BearerChallenge } from "../bearer_challenge.ts";
import type { PersonLogin } from "../login/person_login.ts";
import type { LoginExchange } from "../login_exchange.ts";
import type { OAuthCredentials } from "../oauth_credentials.ts";
import type { SubjectToken } from "../token_exchange/subject_token.ts";
import type { UpstreamToken } from "../upstream_token.ts";
import type { NamedServers } from "./named_servers.ts";

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
  /** Shared by all tokens of the upstream. */
  readonly namedServers: NamedServers;
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

/** A token that is wanted. */
export interface Renewal {
  /** The token that is not good any more; null: there is none. */
  readonly stale: UpstreamToken | null;
  /** The refusal of the upstream; null: it has refused nothing. */
  readonly challenge: BearerChallenge | null;
  /** The token in memory. */
  readonly known: UpstreamToken | null;
  /** Of the last renewal, as long as the authorization server is left alone; null: it may be asked. */
  readonly failure: SluiceError | null;
}

export interface TokenOrigin {
  /**
   * @returns null if nothing says where the authorization server is, until the upstream refuses a request without a token
   * @throws {LoginFault}
   * @throws {SluiceError} UPSTREAM_LOGIN_NEEDED, STORE_UNAVAILABLE
   */
  renew(renewal: Renewal): Promise<UpstreamToken | null>;
  /**
   * Notes the scopes that a call lacks.
   * @throws {SluiceError} UPSTREAM_LOGIN_NEEDED if only a person can get them
   */
  wants(scope: string): Promise<void>;
}

/** Does the upstream refuse a token itself, and not what it is used for? */
export function isRefusal(challenge: BearerChallenge | null): boolean {
  return challenge !== null && challenge.error !== "insufficient_scope";
}
