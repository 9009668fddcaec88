// Logins at upstreams as pages see them: of the viewer, in the viewer's browser.
import type { Exchange } from "../../http/handler.ts";
import { peerAddress } from "../../base/egress/trusted_proxies.ts";
import { boundedText } from "../../store/audit/audit_record.ts";
import type { OwnAddresses } from "../../upstream/authorization/login/login_client.ts";
import { LOGIN_TIME_MS } from "../../upstream/authorization/login/login_flow.ts";
import { connectPath } from "../../upstream/authorization/login/person_login.ts";
import type { PageCall } from "../call/page_call.ts";
import { cookie, type CookieScope, cookiesIn } from "../call/session_cookie.ts";
import type { Place, UiDeps } from "../call/ui_deps.ts";
import { clientMetadataUrl, redirectUri } from "./own_client_metadata.ts";

/**
 * A browser has one login at an upstream under way: a further one takes its place. The cookie goes to the pages of this upstream's
 * connection alone, because proxies refuse requests with several cookies of this size.
 */
const PREFIX = "sluice_login_";

export function loginsOf(deps: UiDeps, exchange: Exchange, { prefix, isSecure }: Place): PageCall["logins"] {
  const { request, principal, info } = exchange;
  const { connecting, clientMetadataIsStable } = deps;
  const scopeOf = (gatewayId: string): CookieScope => ({ path: prefix + connectPath(gatewayId), isSecure });
  const base = () => deps.baseOf(request, peerAddress(info));
  const addressesOf = (gatewayId: string): OwnAddresses => ({
    redirectUri: redirectUri(base(), gatewayId),
    metadataUrl: clientMetadataIsStable ? clientMetadataUrl(base(), gatewayId) : null,
  });
  const acts = (gatewayId: string) => {
    exchange.action = {
      ...{ operation: "connectUpstream", permission: null, isWrite: true, fields: [] },
      entity: { kind: "gateway", id: boundedText(gatewayId) },
    };
  };
  return {
    redirectUri: (gatewayId) => redirectUri(base(), gatewayId),
    begin: async (gatewayId) => {
      acts(gatewayId);
      const addresses = addressesOf(gatewayId);
      const { url, pending } = await connecting.begin(principal, gatewayId, { addresses, next: "" });
      return { url, cookie: cookie(PREFIX + gatewayId, pending, LOGIN_TIME_MS / 1000, scopeOf(gatewayId)) };
    },
    finish: async (gatewayId, client) => {
      acts(gatewayId);
      const addresses = addressesOf(gatewayId);
      await connecting.finish(principal, gatewayId, {
        answer: new URL(request.url).searchParams,
        cameTo: addresses.redirectUri + (client === null ? "" : `/${client}`),
        sealed: cookiesIn(request.headers).get(PREFIX + gatewayId),
        addresses,
      });
      await deps.auditConnection(exchange);
      return { cookie: cookie(PREFIX + gatewayId, "", 0, scopeOf(gatewayId)) };
    },
  };
}
