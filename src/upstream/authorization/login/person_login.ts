// The login of one person at one upstream, as the source of its token needs it.
import { SluiceError } from "../../../base/errors.ts";
import type { Connections } from "../../../store/upstream_tokens/connections.ts";
import type { LoginExchange } from "../login_exchange.ts";
import type { UpstreamToken } from "../upstream_token.ts";
import { refreshLogin, revokeToken } from "./code_grant.ts";
import type { LoginClient } from "./login_client.ts";

/** The page where a user connects an upstream, relative to the gateway's address. */
export function connectPath(gatewayId: string): string {
  return `/admin/connections/${encodeURIComponent(gatewayId)}`;
}

export class PersonLogin {
  constructor(
    readonly connections: Connections,
    private readonly upstream: string,
    private readonly gatewayId: string,
  ) {}

  /** @param why null: there is no login */
  needed(why: string | null): SluiceError {
    return loginNeeded({ upstream: this.upstream, gatewayId: this.gatewayId, why });
  }

  /**
   * Renews a token.
   * @param given the operator's client, whose secret may be a new one; null: the gateway has named itself
   * @returns null if the login is lost
   * @throws {LoginFault}
   */
  async refresh(
    exchange: LoginExchange,
    stored: UpstreamToken,
    { given: named, now }: { readonly given: LoginClient | null; readonly now: number },
  ): Promise<UpstreamToken | null> {
    const { refreshToken = null, resource } = stored.login!;
    const client = named ?? stored.login!.client;
    if (refreshToken === null) return null;
    const given = await refreshLogin(exchange, stored.found.server, client, { refreshToken, resource });
    if (given === null) return null;
    return {
      ...stored,
      accessToken: given.accessToken,
      obtainedAt: now,
      expiresAt: given.expiresInS === null ? null : now + given.expiresInS * 1000,
      login: { client, resource, refreshToken: given.refreshToken },
    };
  }

  /** Has the authorization server forget a token that nobody uses, as far as it does. */
  async revoke(exchange: LoginExchange, token: UpstreamToken): Promise<void> {
    await revokeToken(exchange, token, token.login!.client).catch(() => {});
  }
}

/** `link` is the page to log in at: relative to the gateway until the call that fails is known, then absolute. */
export function loginNeeded({ upstream, gatewayId, why }: {
  readonly upstream: string;
  readonly gatewayId: string;
  readonly why: string | null;
}): SluiceError {
  const reason = why === null ? "" : ` (${why})`;
  return new SluiceError("UPSTREAM_LOGIN_NEEDED", { upstream, reason, link: connectPath(gatewayId) });
}
