// What this program is: its version, the commit it was made from, the protocol revisions it serves.

export { SESSION_REVISIONS as REVISIONS_SERVED } from "./mcp/revisions.ts";

export const VERSION = "0.1.0";

/** The commit that the executable was compiled from (scripts/compile.ts puts it into the program); "dev" from source. */
export function commit(): string {
  return Deno.env.get("SLUICE_COMMIT") || "dev";
}
