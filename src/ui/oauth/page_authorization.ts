// Authorization requests as pages see them: before the viewer, at the address where the browser sees the gateway.
import { SluiceError } from "../../base/errors.ts";
import type { Exchange } from "../../http/handler.ts";
import { peerAddress } from "../../base/egress/trusted_proxies.ts";
import { boundedText } from "../../store/audit/audit_record.ts";
import type { Departure, PageCall } from "../call/page_call.ts";
import type { UiDeps } from "../call/ui_deps.ts";

export function authorizationOf(deps: UiDeps, exchange: Exchange): PageCall["authorization"] {
  const { request, principal, info } = exchange;
  /** Each look and each decision counts: some of them are kept for a while, and somebody might try all codes of terminals. */
  const server = async () => {
    const { oauth } = deps;
    if (!oauth.isOn) {
      throw new SluiceError("NOT_FOUND", {
        what: "Login of clients is off (OAUTH_AUTHORIZATION_SERVER): path",
      });
    }
    await oauth.deps.limits.require("request", deps.clientOf(request.headers, info));
    return oauth.deps;
  };
  const acts = (clientId: string | null) => {
    exchange.action = {
      ...{ operation: "decideAuthorization", permission: null, isWrite: true, fields: [] },
      entity: clientId === null ? null : { kind: "client", id: boundedText(clientId) },
    };
  };
  const issuer = () => deps.baseOf(request, peerAddress(info));
  return {
    review: async (query) => await (await server()).consents.review(principal, query, issuer()),
    decide: async (query, decision) => {
      acts(query.get("client_id"));
      const { url, outcome } = await (await server()).consents.decide(principal, query, issuer(), decision);
      await deps.auditConsent(exchange, outcome);
      return url;
    },
    reviewDevice: async (code) => await (await server()).devices.review(principal, code),
    decideDevice: async (code, decision) => {
      acts(null);
      const { outcome, client } = await (await server()).devices.decide(principal, code, decision);
      acts(client);
      await deps.auditConsent(exchange, outcome);
      return outcome;
    },
  };
}

/** The browser goes back to the client. The code in the address is for the client alone. */
export function departure({ leavesTo }: Departure): Response {
  return new Response(null, {
    status: 303,
    headers: { location: leavesTo, "cache-control": "no-store", "referrer-policy": "no-referrer" },
  });
}
