// Schemas of requests about one's own session, and about one's way into a team.
import * as z from "zod";
import { field } from "../described.ts";
import { email } from "../people_schemas.ts";

export const forgotten = z.object({
  email: field(email, "The email address of the user.", "ann@example.com"),
})
  .describe("A request for a link to a new password.");

export const joinAsk = z.object({
  message: field(
    z.string().trim().max(500).nullable().optional(),
    "What the owners of the team read.",
    "I book the trains.",
  ),
}).describe("A request to join a team. The body may be left out.");
