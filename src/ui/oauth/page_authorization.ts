// Authorization requests as pages see them: before the viewer, at the address where the browser sees the gateway.
import { SluiceError } from "../../base/errors.ts";
import type { Exchange } from "../../http/handler.ts";
import { addressOf } from "../../http/rate_tiers.ts";
import { boundedText } from "../../store/audit/audit_record.ts";
import type { Departure, PageCall } from "../call/page_call.ts";
import type { UiDeps } from "../call/ui_deps.ts";

export function authorizationOf(deps: UiDeps, exchange: Exchange): PageCall["authorization"] {
  const { request, principal, info } = exchange;
  const consents = () => {
    const { oauth } = deps;
    if (oauth.isOn) return oauth.deps.consents;
    throw new SluiceError("NOT_FOUND", {
      what: "Login of clients is off (OAUTH_AUTHORIZATION_SERVER): path",
    });
  };
  const issuer = () => deps.baseOf(request, addressOf(info));
  return {
    review: async (query) => await consents().review(principal, query, issuer()),
    decide: async (query, decision) => {
      const clientId = query.get("client_id");
      exchange.action = {
        ...{ operation: "decideAuthorization", permission: null, isWrite: true, fields: [] },
        entity: clientId === null ? null : { kind: "client", id: boundedText(clientId) },
      };
      const { url, outcome } = await consents().decide(principal, query, issuer(), decision);
      await deps.auditConsent(exchange, outcome);
      return url;
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
