// Has authorization servers forget the tokens that the gateway has forgotten (RFC 7009). The leader of the cluster runs it.
import type { Clock } from "../../base/clock.ts";
import { reasonOf } from "../../base/errors.ts";
import type { SecretBox } from "../../store/secret_box.ts";
import type { EndedToken, EndedTokens } from "../../store/upstream_tokens/ended_tokens.ts";
import type { Log } from "../../telemetry/log.ts";
import { revokeToken } from "./login/code_grant.ts";
import type { SendToServer } from "./login_exchange.ts";
import type { OAuthCredentials } from "./oauth_credentials.ts";
import { openToken } from "./sealed_token.ts";
import { allowsHttp } from "./upstream_logins.ts";

export type RevocationOutcome = "success" | "failed" | "unsupported";

export interface TokenRevocationsDeps {
  readonly records: EndedTokens;
  readonly secretBox: SecretBox;
  readonly send: SendToServer;
  /** The credentials with which a token was given; null: they were no login. @throws {SluiceError} if they cannot be read */
  readonly credentialsOf: (token: EndedToken) => Promise<OAuthCredentials | null>;
  readonly log: Log;
  readonly clock: Clock;
  readonly count: (upstream: string, outcome: RevocationOutcome) => void;
}

/** Tokens of one round, and how many at a time. */
const PER_ROUND = 200;
const AT_ONCE = 4;

/** A round begins with no further token after this time: those that have come meanwhile have their turn in the next one. */
const ROUND_MS = 10_000;

export class TokenRevocations {
  readonly #deps: TokenRevocationsDeps;
  #running: Promise<void> | null = null;
  /** Further tokens may have come since the round began. */
  #isAsked = false;

  constructor(deps: TokenRevocationsDeps) {
    this.#deps = deps;
  }

  /** Revokes what is due. Never rejects. */
  run(): Promise<void> {
    this.#isAsked = true;
    return this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    try {
      let isCut = false;
      while (this.#isAsked || isCut) {
        this.#isAsked = false;
        isCut = await this.#round();
      }
    } catch (error) {
      this.#deps.log.warning("tokens of upstreams not revoked", { reason: reasonOf(error) });
    } finally {
      // Right after the last look at #isAsked: a call of run() in between would find a run that has ended.
      this.#running = null;
    }
  }

  /** @returns whether the time was over before all tokens had their turn */
  async #round(): Promise<boolean> {
    const { records, clock } = this.#deps;
    const endsAt = clock.now() + ROUND_MS;
    let isCut = false;
    const due = (await records.list(PER_ROUND)).values();
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (const token of due) {
        await this.#end(token);
        if (clock.now() < endsAt) continue;
        isCut = true;
        break;
      }
    }));
    return isCut;
  }

  async #end(token: EndedToken): Promise<void> {
    const { records, log, count } = this.#deps;
    const { upstream } = token;
    try {
      const isRevoked = await this.#revoke(token);
      await records.drop(token);
      count(upstream, isRevoked ? "success" : "unsupported");
    } catch (error) {
      count(upstream, "failed");
      const isAgain = await records.postpone(token);
      const reason = `${reasonOf(error)}${isAgain ? "; the gateway tries again" : ""}`;
      log.warning("the authorization server of an upstream did not revoke a token", { upstream, reason });
    }
  }

  /** @returns false if nobody can: the server offers no revocation, or the token was sealed with another secret */
  async #revoke(ended: EndedToken): Promise<boolean> {
    const { secretBox, send, credentialsOf } = this.#deps;
    const { gatewayId, owner, sealed, caCertificate, url } = ended;
    const token = await openToken(secretBox, sealed, { gatewayId, owner, version: "" });
    if (token?.found.server.revocation_endpoint === undefined) return false;
    const credentials = await credentialsOf(ended);
    const client = token.login?.client ?? credentials;
    if (credentials === null || client === null) return false;
    await revokeToken(
      { send, caCertificate: caCertificate ?? undefined, allowsHttp: allowsHttp(new URL(url), credentials) },
      token,
      client,
    );
    return true;
  }
}
