// The operations of connected applications.
import * as z from "zod";
import { field } from "../../rest/described.ts";
import { EXAMPLE_ID, text, time } from "../answers.ts";
import { operations } from "../operation.ts";

const application = z.strictObject({
  id: text("The id of the connection.", EXAMPLE_ID),
  client_id: text("The id of the OAuth client.", "https://client.example/metadata.json"),
  client_name: text("The name of the client, as it calls itself.", "Example"),
  client_host: field(
    z.string().nullable(),
    "The host that the client's metadata come from; null: the client has registered itself.",
    "client.example",
  ),
  resource: text("The address of the resource.", "https://gateway.example.com/mcp"),
  scopes: field(z.array(z.string()), "What the client may do.", ["tools.read"]),
  created_at: time("When the caller has first allowed it."),
  last_used: field(z.string().nullable(), "When the client last got an access token. ISO 8601, UTC."),
}).describe("An OAuth client that the caller has allowed something.");

export const applicationOperations = operations("Logins", {
  listApplications: {
    summary: "List connected applications",
    description: "OAuth clients that may act for the caller. The last used comes first.",
    answers: { 200: application.array() },
  },
  disconnectApplication: {
    summary: "Disconnect an application",
    description: "Its tokens are refused at once. The client has to ask again.",
    path: { id: "The id of the connection." },
    answers: { 204: null },
  },
});
