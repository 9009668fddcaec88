// The files of variables that entries of VS Code and Cursor name by `envFile`. They are read on this machine, as the client does.
import { dirname, resolve } from "node:path";
import { parse } from "@std/dotenv";
import { expand, type LookUp } from "../../client_config/variables.ts";
import { isObject, type JsonObject } from "../../mcp/json_rpc.ts";

/**
 * The document with the variables of these files in `env`, where the entry's own win. An entry whose file cannot be read keeps the
 * field, so that it is named as not taken.
 * @param path of the document; a relative `envFile` is below its folder
 */
export function withEnvFiles(document: JsonObject, path: string, lookUp: LookUp): JsonObject {
  const withServers = (holder: JsonObject) =>
    Object.fromEntries(
      Object.entries(holder).map(([key, value]) =>
        (key === "servers" || key === "mcpServers") && isObject(value)
          ? [key, eachEntry(value, (entry) => withEnvFile(entry, path, lookUp))]
          : [key, value]
      ),
    );
  const { mcp } = document;
  return withServers(isObject(mcp) ? { ...document, mcp: withServers(mcp) } : document);
}

function eachEntry(servers: JsonObject, change: (entry: JsonObject) => JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(servers).map(([name, entry]) => [name, isObject(entry) ? change(entry) : entry]),
  );
}

function withEnvFile(entry: JsonObject, path: string, lookUp: LookUp): JsonObject {
  const { envFile, ...rest } = entry;
  if (typeof envFile !== "string") return entry;
  const own = rest.env === undefined ? "environment" : "env";
  const declared = rest[own] ?? {};
  let isKnown = true;
  const file = expand(envFile, lookUp, () => isKnown = false);
  if (!isKnown || !isObject(declared)) return entry;
  try {
    const variables = parse(Deno.readTextFileSync(resolve(dirname(path), file)));
    return { ...rest, [own]: { ...variables, ...declared } };
  } catch {
    return entry;
  }
}
