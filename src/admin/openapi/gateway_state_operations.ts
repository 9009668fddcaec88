// The operations of health and diagnostics, and the registration of clients.
import { operations } from "./operation.ts";
import { healthy, notReady, ready, registrationRefused, version } from "./server_answers.ts";

export const gatewayStateOperations = {
  ...operations("Tokens", {
    registerClient: {
      summary: "Register an OAuth client where clients cannot log in",
      description:
        "Refused while `OAUTH_AUTHORIZATION_SERVER` is off, or there is nobody who could log in. The answer tells users of OAuth " +
        "clients how to use a token. Where clients can log in, it is `POST /oauth/register`.",
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
