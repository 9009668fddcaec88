// The servers that a configuration file names: `mcpServers` of Claude Desktop, Claude Code, Cursor, Windsurf, Cline and Gemini CLI,
// `servers` of VS Code, `mcp.servers` of its settings file.
import { SluiceError } from "../base/errors.ts";
import { isObject } from "../mcp/json_rpc.ts";
import { expand, type LookUp, type Reference, referencesIn } from "./variables.ts";

/** One server of the file, as it is written there. */
export interface ServerEntry {
  readonly name: string;
  /** null: the entry names none. One of several is to be found by trial. */
  readonly transport: "STREAMABLEHTTP" | "SSE" | "WEBSOCKET" | "STDIO" | null;
  /** The program; null for a server with a URL. */
  readonly command: string | null;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | null;
  readonly url: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly isDisabled: boolean;
  /** Fields of the entry that concern the client alone, or that nothing here reads. */
  readonly unread: readonly string[];
}

/** An entry that is not a server. */
export interface FaultyEntry {
  readonly name: string;
  readonly fault: string;
}

export interface ServerList {
  readonly entries: readonly (ServerEntry | FaultyEntry)[];
  /** Values of `${input:id}` that the file itself proposes, by id. */
  readonly defaults: Readonly<Record<string, string>>;
}

/** The entries of one file. Real files have up to some dozens. */
const MAX_ENTRIES = 200;

const TRANSPORTS: Readonly<Record<string, ServerEntry["transport"]>> = {
  stdio: "STDIO",
  local: "STDIO",
  http: "STREAMABLEHTTP",
  https: "STREAMABLEHTTP",
  streamablehttp: "STREAMABLEHTTP",
  sse: "SSE",
  ws: "WEBSOCKET",
  websocket: "WEBSOCKET",
  // opencode's word for every server with a URL.
  remote: null,
};

const READ_FIELDS: ReadonlySet<string> = new Set([
  ...["type", "transport", "transportType", "command", "args", "env", "environment", "cwd"],
  ...["url", "serverUrl", "httpUrl", "headers", "disabled", "enabled"],
]);

/** @throws {SluiceError} CONFIG_TEXT_INVALID if the value has no list of servers, or too many of them */
export function readServerList(value: unknown): ServerList {
  const servers = serversOf(value);
  const names = Object.keys(servers);
  if (names.length > MAX_ENTRIES) {
    throw invalid(`it names ${names.length} servers, and at most ${MAX_ENTRIES} are taken at once`);
  }
  return {
    entries: names.map((name) => readEntry(name, servers[name])),
    defaults: defaultsOf(value),
  };
}

/** The transport of a word such as "http", "streamable-http" or "sse"; null: the word stands for several. Undefined: it is unknown. */
export function transportOf(word: string): ServerEntry["transport"] | undefined {
  const key = word.toLowerCase().replace(/[-_ ]/g, "");
  return Object.hasOwn(TRANSPORTS, key) ? TRANSPORTS[key] : undefined;
}

export function isFaulty(entry: ServerEntry | FaultyEntry): entry is FaultyEntry {
  return "fault" in entry;
}

/** The variables of an entry that need a value, each once. */
export function entryReferences({ command, args, env, cwd, url, headers }: ServerEntry): Reference[] {
  const place = [command, ...args, cwd, url].filter((text) => text !== null).flatMap(referencesIn);
  const secrets = [...Object.values(env), ...Object.values(headers)].flatMap(referencesIn);
  const all = [...place, ...secrets.filter(({ kind }) => kind !== "secret")];
  return [...new Map(all.map((reference) => [`${reference.kind}:${reference.name}`, reference])).values()];
}

/**
 * Replaces the variables of an entry. References to the operator's secrets stay in `env` and `headers`: the gateway looks them up when it
 * uses them.
 * @returns also those that have no value; with any, the entry must not be used
 */
export function expandEntry(
  entry: ServerEntry,
  lookUp: LookUp,
): { readonly entry: ServerEntry; readonly missing: readonly Reference[] } {
  const missing = new Map<string, Reference>();
  const expanding = (find: LookUp) => (text: string) =>
    expand(text, find, (reference) => missing.set(`${reference.kind}:${reference.name}`, reference));
  const each = expanding(lookUp);
  const credential = expanding((reference) =>
    reference.kind === "secret" ? `\${${reference.name}}` : lookUp(reference)
  );
  const all = (values: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(values).map(([name, text]) => [name, credential(text)]));
  const expanded = {
    ...entry,
    command: entry.command === null ? null : each(entry.command),
    args: entry.args.map(each),
    env: all(entry.env),
    cwd: entry.cwd === null ? null : each(entry.cwd),
    url: entry.url === null ? null : each(entry.url),
    headers: all(entry.headers),
  };
  return { entry: expanded, missing: [...missing.values()] };
}

function serversOf(value: unknown): Readonly<Record<string, unknown>> {
  if (!isObject(value)) throw invalid("it is not a JSON object");
  const { mcpServers, servers, mcp } = value;
  const nested = isObject(mcp) ? mcp.servers : undefined;
  const found = mcpServers ?? servers ?? nested;
  if (found === undefined) {
    throw invalid('it has neither "mcpServers" nor "servers", where clients keep their servers');
  }
  if (!isObject(found)) {
    const name = mcpServers !== undefined ? "mcpServers" : servers !== undefined ? "servers" : "mcp.servers";
    throw invalid(`"${name}" is not an object`);
  }
  return found;
}

/** VS Code asks for `inputs`, and proposes their defaults. */
function defaultsOf(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  const inputs = value.inputs ?? (isObject(value.mcp) ? value.mcp.inputs : undefined);
  if (!Array.isArray(inputs)) return {};
  return Object.fromEntries(
    inputs.filter(isObject).flatMap(({ id, default: proposed }) =>
      typeof id === "string" && typeof proposed === "string" ? [[id, proposed]] : []
    ),
  );
}

function readEntry(name: string, value: unknown): ServerEntry | FaultyEntry {
  if (!isObject(value)) return { name, fault: "the entry is not an object" };
  const faults: string[] = [];
  const text = (...fields: string[]): string | null => {
    const field = fields.find((each) => value[each] !== undefined && value[each] !== null);
    if (field === undefined) return null;
    if (typeof value[field] === "string") return value[field];
    faults.push(`"${field}" is not a text`);
    return null;
  };
  const launch = readCommand(value, faults);
  const url = text("url", "serverUrl", "httpUrl");
  const word = text("type", "transport", "transportType");
  const named = word === null ? null : transportOf(word);
  if (named === undefined) faults.push(`the type "${word}" is not known; use stdio, http or sse`);
  if (launch.command === null && url === null && faults.length === 0) {
    faults.push('it has neither "command" nor "url"');
  }
  if (launch.command !== null && url !== null) faults.push('it has both "command" and "url"');
  const isProcess = launch.command !== null;
  if (faults.length === 0 && named != null && isProcess !== (named === "STDIO")) {
    faults.push(`the type "${word}" does not go with "${isProcess ? "command" : "url"}"`);
  }
  const entry: ServerEntry = {
    name,
    // `httpUrl` is Gemini CLI's name for streamable HTTP, where `url` may be either.
    transport: isProcess ? "STDIO" : named ?? (value.httpUrl !== undefined ? "STREAMABLEHTTP" : null),
    ...launch,
    env: textsOf(value.env === undefined ? "environment" : "env", value, faults),
    cwd: text("cwd"),
    url,
    headers: textsOf("headers", value, faults),
    isDisabled: value.disabled === true || value.enabled === false,
    unread: Object.keys(value).filter((field) => !READ_FIELDS.has(field)),
  };
  return faults.length > 0 ? { name, fault: faults.join("; ") } : entry;
}

/** The command line: `command` with `args`, or both in one list as opencode writes them. */
function readCommand(
  { command, args }: Readonly<Record<string, unknown>>,
  faults: string[],
): Pick<ServerEntry, "command" | "args"> {
  const more = args ?? [];
  const words = Array.isArray(command)
    ? [...command, ...Array.isArray(more) ? more : []]
    : [command, ...Array.isArray(more) ? more : []];
  if (!Array.isArray(more)) faults.push('"args" is not a list');
  if (command === undefined || command === null) return { command: null, args: [] };
  const [program, ...rest] = words.map((word) => typeof word === "number" ? String(word) : word);
  if (typeof program !== "string" || program.trim() === "") {
    faults.push('"command" is not the name of a program');
    return { command: null, args: [] };
  }
  if (!rest.every((word) => typeof word === "string")) {
    faults.push('"args" has something else than texts');
    return { command: program, args: [] };
  }
  return { command: program, args: rest };
}

/** An object of texts. Numbers and booleans are taken as their text, which is what clients do. */
function textsOf(
  field: string,
  value: Readonly<Record<string, unknown>>,
  faults: string[],
): Record<string, string> {
  const given = value[field] ?? {};
  if (!isObject(given)) {
    faults.push(`"${field}" is not an object`);
    return {};
  }
  const read: Record<string, string> = {};
  for (const [name, each] of Object.entries(given)) {
    if (["string", "number", "boolean"].includes(typeof each)) read[name] = String(each);
    else faults.push(`"${field}.${name}" is not a text`);
  }
  return read;
}

function invalid(reason: string): SluiceError {
  return new SluiceError("CONFIG_TEXT_INVALID", { reason });
}
