// POST /register: where OAuth clients register themselves (RFC 7591) when the gateway has refused their token, or they have none.
// mcp-remote, the Inspector and other clients ask here without any metadata, and show their user what the answer says. Where clients can
// log in, the authorization server answers in its place.
import { type AdminResponse, ok } from "./rest/deps.ts";

/** The error response of RFC 7591, section 3.2.2. */
const REFUSAL = {
  error: "invalid_client_metadata",
  error_description: "no login page here: put a token into the Authorization header " +
    '("Authorization: Bearer <token>"; `sluice token` mints one). A token that the client sends already has expired ' +
    "or is not valid here",
} as const;

export async function registerClient(): Promise<AdminResponse> {
  return ok(REFUSAL, 400);
}
