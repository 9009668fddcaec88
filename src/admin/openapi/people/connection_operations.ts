// The operations of logins of people at upstreams.
import * as z from "zod";
import { CONNECTIONS } from "../../../upstream/authorization/oauth_credentials.ts";
import { CONNECTION_STATES } from "../../connections/connection_state.ts";
import { field } from "../../rest/described.ts";
import { EXAMPLE_ID, text } from "../answers.ts";
import { operations } from "../operation.ts";

const common = {
  gateway_id: text("The id of the upstream.", EXAMPLE_ID),
  gateway_name: text("The name of the upstream.", "crm"),
  state: field(
    z.enum(CONNECTION_STATES),
    "`none`: there is no login. `wants_scope`: a call lacked a right. `expires_soon`: in less than a day, and it cannot be renewed. " +
      "`lost`: the authorization server does not renew it. With `none`, `expired` and `lost` calls fail until somebody connects.",
    "connected",
  ),
  connected_at: field(z.string().nullable(), "When the person logged in. ISO 8601, UTC."),
  expires_at: field(
    z.string().nullable(),
    "When the access token expires. Renewable logins get a new one before.",
  ),
  is_renewable: field(z.boolean(), "The gateway has a refresh token.", true),
  fault: field(z.string().nullable(), "Why the login is lost."),
  wanted_scope: field(z.string().nullable(), "The scopes that the next login asks for besides."),
};

const connection = z.strictObject({
  ...common,
  connection: field(z.enum(CONNECTIONS), "Whose login calls use: the caller's, or one for all.", "user"),
  may_connect: field(z.boolean(), "Whether the caller may connect and disconnect it.", true),
  connect_path: text(
    "The page to connect at, below the gateway's address.",
    `/admin/connections/${EXAMPLE_ID}`,
  ),
}).describe("An upstream where people log in, and the login that the caller's calls use.");

const ownedConnection = z.strictObject({
  ...common,
  owner: field(
    z.string().nullable(),
    "The email address of the user; null: all callers share it.",
    "ann@example.com",
  ),
}).describe("A login at an upstream.");

export const connectionOperations = operations("Logins", {
  listConnections: {
    summary: "List your connections to upstreams",
    description: "Every upstream that the caller may use and where people log in.",
    answers: { 200: connection.array() },
  },
  listAllConnections: {
    summary: "List the connections of all users",
    description: "Of the upstreams that the caller may change. Those that end soon or have ended come first.",
    answers: { 200: ownedConnection.array() },
  },
  disconnectUpstream: {
    summary: "Disconnect an upstream",
    description:
      "Forgets the login that the caller's calls use, and revokes it where the authorization server offers that (RFC 7009). A shared " +
      "login needs `gateways.update`.",
    path: { id: "The id of the upstream." },
    answers: { 204: null },
  },
  disconnectUser: {
    summary: "Disconnect a user from an upstream",
    description: "Another user's login needs `gateways.update`.",
    path: { id: "The id of the upstream.", owner: "The email address of the user." },
    answers: { 204: null },
  },
});
