// What this program is: its version, the commit it was made from, the protocol revisions it serves.

import { type AnyRevision, SESSION_REVISIONS, STATELESS_REVISION } from "./mcp/revisions.ts";

/** Newest first. */
export const REVISIONS_SERVED: readonly AnyRevision[] = [STATELESS_REVISION, ...SESSION_REVISIONS];

export const VERSION = "0.1.0";

/** The commit that the executable was compiled from (scripts/compile.ts puts it into the program); "dev" from source. */
export function commit(): string {
  return Deno.env.get("SLUICE_COMMIT") || "dev";
}
