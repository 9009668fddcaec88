// Schemas of decisions about held changes.
import * as z from "zod";
import { field } from "./described.ts";

const HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/** As many as one upstream can have by default. */
const MAX_DECISIONS = 1_000;

export const heldDecisions = z.object({
  changes: field(
    z.array(z.object({
      id: field(z.string().min(1).max(64), "The id of the held change.", "7d0c5f1e2b9a4c1f8e6d3a5b7c9e1f20"),
      hash: field(
        z.string().regex(/^[0-9a-f]{64}$/, "must be the SHA-256 of a held change, 64 hex digits"),
        "The hash of the version that was seen. If the upstream has changed the entry again, nothing is decided.",
        HASH,
      ),
    })).min(1).max(MAX_DECISIONS),
    "The changes, each with the hash of its version. All of them are decided, or none.",
  ),
}).describe("A decision about held changes of a gateway.");
