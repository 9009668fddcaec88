// Schemas of requests about one's own session, and about one's way into a team.
import { z } from "zod";
import { field } from "../described.ts";

export const joinAsk = z.object({
  message: field(
    z.string().trim().max(500).nullable().optional(),
    "What the owners of the team read.",
    "I book the trains.",
  ),
}).describe("A request to join a team. The body may be left out.");
