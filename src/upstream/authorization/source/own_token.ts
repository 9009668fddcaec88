// The token that the gateway asks for as itself, or for the token of a caller.
import { type BearerChallenge, readChallenge } from "../bearer_challenge.ts";
import { LoginFault, OTHER_SERVER } from "../login_fault.ts";
import { findServer, type FoundServer } from "../login_server.ts";
import { takesScopes } from "../oauth_credentials.ts";
import { requestToken } from "../token_request.ts";
import type { UpstreamToken } from "../upstream_token.ts";
import { ClaimedToken } from "./claimed_token.ts";
import { TokenLife } from "./token_life.ts";
import { isRefusal, type Renewal, type TokenOrigin, type TokenSourceDeps } from "./token_source_deps.ts";

export class OwnToken implements TokenOrigin {
  readonly #deps: TokenSourceDeps;
  readonly #life: TokenLife;
  readonly #claimed: ClaimedToken | null;
  #found: FoundServer | null = null;

  constructor(deps: TokenSourceDeps) {
    this.#deps = deps;
    this.#life = new TokenLife(deps);
    this.#claimed = deps.kept === null ? null : new ClaimedToken(deps.kept, deps);
  }

  async renew({ stale, challenge }: Renewal): Promise<UpstreamToken | null> {
    if (stale !== null && isRefusal(challenge) && this.#life.isFresh(stale)) {
      const { issuer } = stale.found.server;
      const isElsewhere = await this.#deps.namedServers.haveLeft(issuer, challenge ?? readChallenge(null));
      if (isElsewhere) throw new LoginFault(OTHER_SERVER);
      return stale;
    }
    const claimed = this.#claimed;
    if (claimed === null) return await this.#request(stale, challenge);
    const token = await claimed.get({
      ...{ stale: stale?.accessToken ?? null, life: this.#life },
      ask: async ({ stored }) => {
        const given = await this.#request(stale ?? stored, challenge);
        if (given === null) await claimed.release();
        else await claimed.save(given);
        return given;
      },
    });
    this.#found ??= token?.found ?? null;
    return token;
  }

  /** The next request asks for them. */
  wants(): Promise<void> {
    return Promise.resolve();
  }

  async #request(
    former: UpstreamToken | null,
    challenge: BearerChallenge | null,
  ): Promise<UpstreamToken | null> {
    const { exchange, url, credentials, clock, count, upstream, subject, read } = this.#deps;
    const found = this.#found ?? former?.found ?? await findServer(exchange, url, credentials, challenge);
    if (found === null) return null;
    const scope = takesScopes(credentials)
      ? challenge?.scope ?? former?.scope ?? found.scopes
      : credentials.scopes.join(" ") || null;
    const obtainedAt = clock.now();
    const current = await read?.() ?? credentials;
    const { accessToken, expiresInS } = await requestToken(exchange, found.server, current, {
      scope,
      resource: found.resource,
      subject: subject?.text ?? null,
    });
    count(upstream, "success");
    this.#found = found;
    const ends = Math.min(
      expiresInS === null ? Infinity : obtainedAt + expiresInS * 1000,
      subject?.endsAt ?? Infinity,
    );
    return { accessToken, obtainedAt, expiresAt: ends === Infinity ? null : ends, scope, found };
  }
}
