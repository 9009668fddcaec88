// What the fields of an upstream's form say in the words of the REST API, and what they show of a stored upstream.
import { type Refusal, refusalFor } from "../call/rest.ts";
import { AWS_FIELDS, awsConfigOf, awsValues } from "./aws_fields.tsx";
import { loginOf, OAUTH_FIELDS, oauthValues } from "./oauth_fields.tsx";
import { isLineChanged, mergedLines, mergedValues, seenIn } from "../parts/seen_values.tsx";
import type { Upstream } from "./upstream_shapes.ts";

/** An upstream has an address, or a command that starts it. */
export type Way = "address" | "command";

/** The fields of each kind of credentials. */
export const AUTH_FIELDS: Readonly<Record<string, readonly string[]>> = {
  bearer: ["auth_token"],
  basic: ["auth_username", "auth_password"],
  authheaders: ["auth_headers"],
  query_param: ["auth_query_param_key", "auth_query_param_value"],
  oauth: OAUTH_FIELDS,
  aws_sigv4: AWS_FIELDS,
};

/** Before the id of a team, among the values of `visibility`. */
export const TEAM = "team:";

/** The values of the form for what is stored. Secrets are masked, or empty. */
export function valuesOf(upstream: Upstream): URLSearchParams {
  const { authHeaders, args, env, passthroughHeaders, visibility, teamId } = upstream;
  const lines = (all: readonly string[]) => all.join("\n");
  const values: Readonly<Record<string, string | null | undefined>> = {
    name: upstream.name,
    url: upstream.url,
    description: upstream.description,
    command: upstream.command,
    args: args === undefined ? "" : argumentsText(args),
    env: lines(Object.entries(env ?? {}).map(([name, value]) => `${name}=${value}`)),
    cwd: upstream.cwd,
    auth_type: upstream.authType ?? "none",
    auth_username: upstream.authUsername,
    auth_headers: lines((authHeaders ?? []).map(({ key, value }) => `${key}: ${value}`)),
    auth_query_param_key: upstream.authQueryParamKey,
    ...oauthValues(upstream.oauthConfig),
    ...awsValues(upstream.awsConfig),
    ca_certificate: upstream.caCertificate,
    client_cert: upstream.clientCert,
    passthrough_headers: passthroughHeaders?.join(", "),
    isolation: upstream.isolation,
    tool_approval: upstream.toolApproval,
    visibility: visibility === "team" ? TEAM + teamId : visibility,
    tags: upstream.tags.map(({ label }) => label).join(", "),
    refresh_interval_seconds: upstream.refreshIntervalSeconds?.toString(),
  };
  return new URLSearchParams(Object.entries(values).map(([name, value]) => [name, value ?? ""]));
}

/** A new upstream in the words of the REST API. */
export function registrationIn(values: URLSearchParams, way: Way): Record<string, unknown> {
  const none = new URLSearchParams();
  return bodyOf(values, way, { seen: none, stored: none }, way === "command" ? { transport: "STDIO" } : {});
}

/** What the reader of the form has changed, in the words of the REST API. */
export function changesIn(values: URLSearchParams, upstream: Upstream): Record<string, unknown> {
  const way = upstream.transport === "STDIO" ? "command" : "address";
  const stored = valuesOf(upstream);
  return bodyOf(values, way, { seen: seenIn(values, stored), stored }, {}, upstream);
}

const COMMAND_FIELDS = ["command", "args", "env", "cwd"];
const ADDRESS_FIELDS = [
  ...["url", "transport", "ca_certificate", "client_cert", "client_key", "passthrough_headers"],
];
const COMMON_FIELDS = [
  "name",
  "description",
  "isolation",
  "tool_approval",
  "tags",
  "refresh_interval_seconds",
];

/** Lists in one text: by their separators. */
const LISTS: Readonly<Record<string, string>> = { tags: ",", passthrough_headers: ",", oauth_scopes: " " };

/** Lines with a name and a value: by the separators of both, and what makes two names the same. */
const PAIRS: Readonly<
  Record<string, { readonly separator: string; readonly same: (name: string) => string }>
> = {
  env: { separator: "=", same: (name) => name },
  auth_headers: { separator: ":", same: (name) => name.toLowerCase() },
};

/** The text that a changed field comes to: of a list, what is stored with what the reader has added and taken away. */
function mergedText(
  name: string,
  { sent, seen, current }: Readonly<Record<"sent" | "seen" | "current", URLSearchParams>>,
): string {
  const separator = LISTS[name] ?? "\n";
  const pairs = PAIRS[name];
  if (LISTS[name] === undefined && pairs === undefined) return textOf(sent, name);
  const listOf = (values: URLSearchParams) =>
    textOf(values, name).split(separator).map((part) => part.trim()).filter((part) => part !== "");
  const lists = { sent: listOf(sent), seen: listOf(seen), current: listOf(current) };
  const merged = pairs === undefined
    ? mergedValues(lists)
    : mergedLines(lists, (line) => pairs.same(pairIn(line, pairs.separator)[0]));
  return merged === null ? textOf(current, name) : merged.join(separator === "," ? ", " : separator);
}

/** A variable has one value: of several lines for one variable an object would have the last. */
export function repeatedVariablesIn(values: URLSearchParams): { readonly refused: Refusal } | null {
  const names = linesIn(textOf(values, "env")).map((line) => pairIn(line, "=")[0]);
  const repeated = [...Map.groupBy(names, (name) => name)].flatMap(([name, all]) =>
    all.length > 1 ? name : []
  );
  if (repeated.length === 0) return null;
  const faults = repeated.map((name) => ({
    loc: ["body", "env"],
    msg: `several lines set ${name}: keep one of them`,
  }));
  return { refused: refusalFor(faults) };
}

function bodyOf(
  values: URLSearchParams,
  way: Way,
  { seen, stored }: Readonly<Record<"seen" | "stored", URLSearchParams>>,
  body: Record<string, unknown>,
  former: Pick<Upstream, "oauthConfig" | "awsConfig"> = { oauthConfig: null, awsConfig: null },
): Record<string, unknown> {
  const given = (name: string) => textOf(values, name);
  const isChanged = (name: string) =>
    values.has(name) &&
    (name === "description"
      ? isLineChanged(name, { sent: values, seen })
      : given(name) !== textOf(seen, name));
  const wanted = (name: string) => mergedText(name, { sent: values, seen, current: stored });
  for (const name of [...COMMON_FIELDS, ...(way === "address" ? ADDRESS_FIELDS : COMMAND_FIELDS)]) {
    if (isChanged(name) && wanted(name) !== textOf(stored, name)) body[name] = valueOf(name, wanted(name));
  }
  if (isChanged("visibility")) {
    const [visibility, team] = given("visibility").split(":");
    body.visibility = visibility;
    if (team !== undefined) body.team_id = team;
  }
  if (way === "address") {
    const type = given("auth_type");
    const fields = AUTH_FIELDS[type] ?? [];
    if (isChanged("auth_type") && !(seen.size === 0 && type === "none") || fields.some(isChanged)) {
      // These are written together: of the same kind, those that the reader has not changed are what they are by now.
      const isOfKind = textOf(stored, "auth_type") === type;
      const credential = (name: string) =>
        !isOfKind ? given(name) : isChanged(name) ? wanted(name) : textOf(stored, name);
      body.auth_type = type;
      if (type === "oauth") body.oauth_config = loginOf(credential, former.oauthConfig);
      else if (type === "aws_sigv4") body.aws_config = awsConfigOf(credential, former.awsConfig);
      else {
        for (const name of fields) if (credential(name) !== "") body[name] = valueOf(name, credential(name));
      }
    }
  }
  return body;
}

/** Browsers send line breaks as CRLF. */
function textOf(values: URLSearchParams, name: string): string {
  return values.get(name)?.replaceAll("\r\n", "\n").trim() ?? "";
}

function valueOf(name: string, text: string): unknown {
  switch (name) {
    case "args":
      return argumentsIn(text);
    case "env":
      return text === "" ? null : Object.fromEntries(linesIn(text).map((line) => pairIn(line, "=")));
    case "auth_headers":
      return linesIn(text).map((line) => {
        const [key, value] = pairIn(line, ":");
        return { key, value: value.trim() };
      });
    case "passthrough_headers":
      return text === "" ? null : text.split(",").map((word) => word.trim()).filter((word) => word !== "");
    case "refresh_interval_seconds":
      return text === "" ? null : Number(text);
    case "name":
    case "url":
    case "command":
    case "tags":
      return text;
    default:
      return text === "" ? null : text;
  }
}

function linesIn(text: string): string[] {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

function pairIn(line: string, separator: string): [string, string] {
  const at = line.indexOf(separator);
  return at < 0 ? [line, ""] : [line.slice(0, at).trim(), line.slice(at + 1)];
}

/** Arguments that lines cannot hold are a JSON list. */
function argumentsText(args: readonly string[]): string {
  const areLines = args.every((arg) => arg !== "" && arg === arg.trim() && !/[\n\r]/.test(arg)) &&
    args[0]?.startsWith("[") !== true;
  return areLines ? args.join("\n") : JSON.stringify(args);
}

function argumentsIn(text: string): unknown {
  if (text.startsWith("[")) {
    try {
      return JSON.parse(text);
    } catch {
      // A first argument that begins with a bracket.
    }
  }
  return linesIn(text);
}
