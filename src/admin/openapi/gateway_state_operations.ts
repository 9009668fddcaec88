// The operations of tokens, health and diagnostics.
import { tokenRevoke } from "../rest/schemas.ts";
import { operations } from "./operation.ts";
import { healthy, notReady, ready, registrationRefused, revokedToken, version } from "./server_answers.ts";

const revocation = {
  description:
    "The token is refused from now on, by every worker and replica. A token that the gateway has not seen can be " +
    "revoked too. The revocation is deleted when the token expires.",
  path: { id: "The id of the token, its claim `jti`." },
  body: { schema: tokenRevoke, example: { reason: "lost laptop" }, isOptional: true },
  answers: { 204: null },
};

export const gatewayStateOperations = {
  ...operations("Tokens", {
    revokeToken: { summary: "Revoke a token", ...revocation },
    revokeTokenAsAdmin: {
      summary: "Revoke a token, by ContextForge's path for administrators",
      ...revocation,
    },
    listRevokedTokens: { summary: "List revoked tokens", answers: { 200: revokedToken.array() } },
    registerClient: {
      summary: "Register an OAuth client (not supported)",
      description:
        "Always refused: the gateway has no login page. The answer tells users of OAuth clients how to use a token.",
      answers: { 400: registrationRefused },
    },
  }),
  ...operations("Operation", {
    getHealth: {
      summary: "Is the process alive?",
      description: "For liveness probes.",
      answers: { 200: healthy },
    },
    getReadiness: {
      summary: "Can the gateway serve requests?",
      description:
        "For readiness probes and load balancers. The gateway asks its database, and Redis if it uses one.",
      answers: { 200: ready, 503: notReady },
    },
    getVersion: { summary: "Read versions and diagnostics", answers: { 200: version } },
  }),
};
