// Schemas of requests about one's own session, and about one's way into a team.
import * as z from "zod";
import { field } from "../described.ts";
import { email } from "../people_schemas.ts";

const OFFSET = field(
  z.coerce.number().int().min(0).max(10_000).default(0),
  "Events to leave out at the start.",
);

export const eventsQuery = z.object({
  limit: field(z.coerce.number().int().min(1).max(1_000).default(50), "The number of events."),
  offset: OFFSET,
});

export const allEventsQuery = z.object({
  limit: field(z.coerce.number().int().min(1).max(1_000).default(100), "The number of events."),
  offset: OFFSET,
  user_email: field(z.string().max(255).optional(), "Only events of this user."),
});

export const approvalAction = z.object({
  action: field(z.enum(["approve", "reject"]), "What becomes of the user.", "approve"),
}).describe("A decision about a user who waits.");

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
