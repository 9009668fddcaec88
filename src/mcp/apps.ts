// MCP Apps (extension io.modelcontextprotocol/ui, 2026-01-26): a tool names the resource that shows its results.
import { isObject } from "./json_rpc.ts";

/** The URI of a tool's resource; null: it has none. @param definition the tool's object in a list, as JSON text */
export function appResourceOf(definition: string): string | null {
  if (!definition.includes("resourceUri")) return null;
  const tool: unknown = JSON.parse(definition);
  const meta = isObject(tool) && isObject(tool._meta) ? tool._meta : {};
  // The second spelling is that of the extension's drafts.
  const uri = isObject(meta.ui) ? meta.ui.resourceUri : meta["ui/resourceUri"];
  return typeof uri === "string" ? uri : null;
}
