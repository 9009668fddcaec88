// The marks of gateways that come from a configuration file: the column `source` of the registry.
import { resolve } from "node:path";

/** The mark of what `sluice import` and POST /import/mcp-servers register. @param file as the request names it */
export function importSource(file: string): string {
  return `import:${file}`;
}

/** The mark of the servers of MCP_CONFIG. No request sets it, so a gateway that has it has the operator's own command. */
export function mcpConfigSource(file: string): string {
  return `mcp-config:${resolve(file)}`;
}

/** The file of a mark, "" if the request named none; null: the mark is of no file. */
export function fileOfSource(source: string | null): string | null {
  return /^(?:import|mcp-config):(.*)$/s.exec(source ?? "")?.[1] ?? null;
}
