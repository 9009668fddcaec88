// Authorization requests as pages see them: before the viewer, at the address where the browser sees the gateway.
import { SluiceError } from "../../base/errors.ts";
import type { Exchange } from "../../http/handler.ts";
import { addressOf } from "../../http/rate_tiers.ts";
import { boundedText } from "../../store/audit/audit_record.ts";
import type { Departure, PageCall } from "../call/page_call.ts";
import type { UiDeps } from "../call/ui_deps.ts";

export function authorizationOf(deps: UiDeps, exchange: Exchange): PageCall["authorization"] {
  const { request, principal, info } = exchange;
  const server = () => {
    const { oauth } = deps;
    if (oauth.isOn) return oauth.deps;
    throw new SluiceError("NOT_FOUND", {
      what: "Login of clients is off (OAUTH_AUTHORIZATION_SERVER): path",
    });
  };
  const acts = (clientId: string | null) => {
    exchange.action = {
      ...{ operation: "decideAuthorization", permission: null, isWrite: true, fields: [] },
      entity: clientId === null ? null : { kind: "client", id: boundedText(clientId) },
    };
  };
  const issuer = () => deps.baseOf(request, addressOf(info));
  return {
    review: async (query) => await server().consents.review(principal, query, issuer()),
    decide: async (query, decision) => {
      acts(query.get("client_id"));
      const { url, outcome } = await server().consents.decide(principal, query, issuer(), decision);
      await deps.auditConsent(exchange, outcome);
      return url;
    },
    reviewDevice: async (code) => {
      // Somebody might try all codes.
      await server().limits.require("request", deps.clientOf(request.headers, info));
      return await server().devices.review(principal, code);
    },
    decideDevice: async (code, decision) => {
      acts(null);
      await server().limits.require("request", deps.clientOf(request.headers, info));
      const { outcome, client } = await server().devices.decide(principal, code, decision);
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
