// The operations of sign-in at identity providers, which are outside of the route table.
import * as z from "zod";
import { field } from "../../rest/described.ts";
import type { EndpointOperation } from "../operation.ts";
import { loggedIn } from "./user_answers.ts";

const PROVIDER = { provider: "The id of the provider." };
const common = { tag: "Logins", permission: null } as const;
const PAGES = ["application/json", "text/html"];

const provider = z.strictObject({
  id: field(z.string(), "The id of the provider, for its paths.", "keycloak"),
  name: field(z.string(), "The same as `id`.", "keycloak"),
  display_name: field(z.string(), "The name for people.", "Keycloak"),
}).describe("An identity provider.");

const started = z.strictObject({
  authorization_url: field(z.string(), "Where the person signs in.", "https://idp.example.com/auth?…"),
  state: field(z.string(), "The value that the provider sends back.", "nUkOC3W5QyJk"),
}).describe("A sign-in that has begun. The answer also sets a cookie, which the end needs.");

const signedIn = loggedIn.describe("A token of a sign-in.");

export const SSO_OPERATIONS: readonly EndpointOperation[] = [
  {
    ...common,
    operationId: "listSsoProviders",
    method: "GET",
    at: "/auth/sso/providers",
    summary: "List identity providers",
    description: "A browser gets a page with a link for each.",
    answers: { 200: z.array(provider) },
    mediaTypes: { 200: PAGES },
    errors: ["NOT_FOUND"],
  },
  {
    ...common,
    operationId: "startSsoLogin",
    method: "GET",
    at: "/auth/sso/login/{provider}",
    summary: "Start a sign-in",
    description: "A browser is redirected to the provider; others get its address.",
    path: PROVIDER,
    query: z.object({
      next: field(z.string().optional(), "The path of this gateway to go to afterwards.", "/docs"),
      format: field(z.literal("json").optional(), "Answer the end with the token, also in a browser."),
      redirect_uri: field(
        z.string().optional(),
        "A field of ContextForge. It must be the address of the callback.",
      ),
    }),
    answers: { 200: started, 302: null },
    errors: ["INVALID_REQUEST", "SSO_PROVIDER_FAILED"],
  },
  {
    ...common,
    operationId: "finishSsoLogin",
    method: "GET",
    at: "/auth/sso/callback/{provider}",
    summary: "End a sign-in",
    description:
      "The provider sends the person here. A browser gets a cookie with the login, and is redirected to `next`; " +
      "others get the token.",
    path: PROVIDER,
    query: z.object({
      code: field(z.string().optional(), "The code of the provider."),
      state: field(z.string().optional(), "The state of the start."),
      iss: field(z.string().optional(), "The issuer (RFC 9207)."),
      error: field(z.string().optional(), "Why the provider signs nobody in."),
    }),
    answers: { 200: signedIn, 303: null },
    errors: [
      "RATE_LIMITED",
      "SSO_START_AGAIN",
      "SSO_REFUSED",
      "SSO_PROVIDER_FAILED",
      "STORE_UNAVAILABLE",
    ],
  },
  {
    ...common,
    operationId: "endSsoSession",
    method: "POST",
    at: "/auth/sso/backchannel-logout/{provider}",
    summary: "End the logins of a session at the provider",
    description:
      "For the provider: OpenID Connect Back-Channel Logout 1.0. The body is a form with `logout_token`. A token that is " +
      "not valid is answered with 400 and an OAuth error.",
    path: PROVIDER,
    answers: {
      200: null,
      400: z.strictObject({
        error: field(z.literal("invalid_request"), "Always `invalid_request`.", "invalid_request"),
        error_description: field(z.string(), "What is wrong."),
      }).describe("An OAuth error."),
    },
    errors: ["TOKEN_KEYS_UNAVAILABLE", "STORE_UNAVAILABLE"],
  },
];
