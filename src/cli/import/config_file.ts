// Reads a client's configuration file, and finds the values of its variables on this machine.

import { basename, dirname, resolve } from "node:path";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { readFault } from "../../base/file_error.ts";
import { parseJsonc } from "../../client_config/jsonc.ts";
import {
  entryReferences,
  isFaulty,
  readServerList,
  type ServerList,
} from "../../client_config/server_entries.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import { withEnvFiles } from "./env_files.ts";
import type { Reference } from "../../client_config/variables.ts";

export interface ConfigFile extends ServerList {
  /** The absolute path. */
  readonly path: string;
  /** The document, as parsed. */
  readonly document: Readonly<Record<string, unknown>>;
}

/** @throws {SluiceError} CONFIG_FILE_UNUSABLE */
export function readConfigFile(file: string): ConfigFile {
  const path = resolve(file);
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw new SluiceError("CONFIG_FILE_UNUSABLE", { file, reason: readFault(error) }, { cause: error });
  }
  try {
    const written = parseJsonc(text);
    const environment = (name: string) => Deno.env.get(name);
    const document = isObject(written)
      ? withEnvFiles(written, path, ({ kind, name }) => valueHere(kind, name, path, environment))
      : written;
    return { path, document: document as Record<string, unknown>, ...readServerList(document) };
  } catch (error) {
    const reason = error instanceof SluiceError ? String(error.params.reason) : reasonOf(error);
    throw new SluiceError("CONFIG_FILE_UNUSABLE", { file, reason });
  }
}

/**
 * The values of the file's variables that are known here, by name.
 * @param inputs of --input: `NAME=VALUE`, or `NAME` for the environment variable of that name
 * @param environment reads an environment variable
 * @returns also what is wrong with `inputs`
 */
export function valuesOf(
  { entries, path }: Pick<ConfigFile, "entries" | "path">,
  inputs: readonly string[],
  environment: (name: string) => string | undefined,
): { readonly values: Record<string, string>; readonly mistakes: readonly string[] } {
  const values: Record<string, string> = {};
  const mistakes: string[] = [];
  const references = entries.flatMap((entry) => isFaulty(entry) ? [] : entryReferences(entry));
  for (const { kind, name } of references) {
    const value = valueHere(kind, name, path, environment);
    if (value !== undefined) values[name] = value;
  }
  for (const input of inputs) {
    const at = input.indexOf("=");
    const name = at < 0 ? input : input.slice(0, at);
    const value = at < 0 ? environment(name) : input.slice(at + 1);
    if (!references.some((reference) => reference.name === name)) {
      mistakes.push(`--input ${name}: the file has no variable of this name${known(references)}`);
    } else if (value === undefined) {
      mistakes.push(
        `--input ${name}: there is no environment variable of this name; write --input ${name}=VALUE`,
      );
    } else values[name] = value;
  }
  return { values, mistakes };
}

/** The value of a variable on this machine; undefined: it is not known here, or is to be asked for. */
function valueHere(
  kind: Reference["kind"],
  name: string,
  path: string,
  environment: (name: string) => string | undefined,
): string | undefined {
  switch (kind) {
    case "env":
      return environment(name);
    case "client":
      return clientValue(name, path);
    case "input":
    case "secret":
      return undefined;
  }
}

function known(references: readonly Reference[]): string {
  const names = [...new Set(references.map(({ name }) => name))];
  return names.length === 0 ? "" : `; it has ${names.join(", ")}`;
}

/** Folders in which a client keeps the file of a project. */
const PROJECT_FOLDERS: ReadonlySet<string> = new Set([
  ".vscode",
  ".cursor",
  ".windsurf",
  ".gemini",
  ".claude",
]);

/** The value of a variable that clients define themselves. A file of no project has no workspace folder. */
function clientValue(name: string, path: string): string | undefined {
  const folder = dirname(path);
  const home = Deno.env.get("HOME");
  const project = PROJECT_FOLDERS.has(basename(folder))
    ? dirname(folder)
    : basename(path) === ".mcp.json"
    ? folder
    : undefined;
  const workspace = project === home ? undefined : project;
  switch (name) {
    case "workspaceFolder":
      return workspace;
    case "workspaceFolderBasename":
      return workspace === undefined ? undefined : basename(workspace);
    case "userHome":
      return home;
    case "pathSeparator":
    case "/":
      return "/";
  }
}
