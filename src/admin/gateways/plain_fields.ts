// Brings the fields of a request into one form: the words of clients' configuration files (`type`, `headers`) become those of
// ContextForge, and variables in secrets become their values.
import type { Principal } from "../../auth/principal.ts";
import { isOperator } from "../../auth/rbac.ts";
import { transportOf } from "../../client_config/server_entries.ts";
import { expand } from "../../client_config/variables.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import type { AdminDeps } from "../rest/deps.ts";
import { type Fault, fault } from "../rest/faults.ts";
import { NOT_CREDENTIALS } from "./credentials/auth_fields.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The fields whose values are secrets, and may be written as variables. */
const SECRET_FIELDS = [
  "auth_username",
  "auth_password",
  "auth_token",
  "auth_header_value",
  "auth_query_param_value",
] as const;

const OAUTH_SECRETS = ["client_secret", "private_key"] as const;

/** A request's fields, and warnings about parts that were not taken as they are written. */
export interface PlainFields {
  readonly fields: Fields;
  readonly warnings: readonly Fault[];
}

/** The fields with `type` as `transport`, and `headers` as `auth_headers`. */
export function plainFields(raw: Fields): PlainFields {
  const warnings: Fault[] = [];
  return { fields: withTransport(withHeaders(raw, warnings)), warnings };
}

/** The gateway's environment is open to administrators only: its values would go to the upstream. */
export function variablesFor(
  principal: Principal,
  { variable }: Pick<AdminDeps, "variable">,
): Pick<AdminDeps, "variable"> {
  const isOpen = isOperator(principal);
  return { variable: (name) => isOpen ? variable(name) : undefined };
}

/** The fields with each ${VAR} of a secret as its value. A variable that may not be used stays as it is written. */
export function expandedFields(fields: Fields, { variable }: Pick<AdminDeps, "variable">): PlainFields {
  const warnings: Fault[] = [];
  const value = (given: unknown, loc: readonly (string | number)[]): unknown => {
    if (typeof given !== "string") return given;
    return expand(
      given,
      ({ kind, name }) => kind === "env" ? variable(name) : undefined,
      // References to secrets stay: the gateway looks them up when it uses them.
      ({ kind, name }) => {
        if (kind !== "secret") warnings.push(fault(loc, notExpanded(name), "not_expanded"));
      },
    );
  };
  const expanded: Record<string, unknown> = { ...fields };
  for (const field of SECRET_FIELDS) {
    if (field in fields) expanded[field] = value(fields[field], ["body", field]);
  }
  if (isObject(fields.env)) {
    expanded.env = Object.fromEntries(
      Object.entries(fields.env).map(([name, each]) => [name, value(each, ["body", "env", name])]),
    );
  }
  if (isObject(fields.oauth_config)) {
    const config: Record<string, unknown> = { ...fields.oauth_config };
    for (const name of OAUTH_SECRETS) {
      if (name in config) config[name] = value(config[name], ["body", "oauth_config", name]);
    }
    expanded.oauth_config = config;
  }
  if (isObject(fields.aws_config)) {
    expanded.aws_config = Object.fromEntries(
      Object.entries(fields.aws_config).map((
        [name, each],
      ) => [name, value(each, ["body", "aws_config", name])]),
    );
  }
  if (Array.isArray(fields.auth_headers)) {
    expanded.auth_headers = fields.auth_headers.map((header: unknown, i) =>
      isObject(header)
        ? { ...header, value: value(header.value, ["body", "auth_headers", i, "value"]) }
        : header
    );
  }
  return { fields: expanded, warnings };
}

function notExpanded(name: string): string {
  return `the variable "${name}" was not expanded, so it is sent as it is written; ` +
    "REGISTRATION_VARIABLES lists the variables of the gateway's environment that are";
}

/** `type` of a configuration file is the transport. A type that is no word for one is reported as a wrong transport. */
function withTransport({ type, ...rest }: Fields): Fields {
  if (type === undefined || type === null || rest.transport !== undefined) return rest;
  return typeof type === "string" && transportOf(type) === null ? rest : { ...rest, transport: type };
}

/** `headers` of a configuration file are credentials, unless the request has others. */
function withHeaders({ headers, ...rest }: Fields, warnings: Fault[]): Fields {
  if (!isObject(headers)) {
    return headers === undefined || headers === null ? rest : { ...rest, auth_headers: headers };
  }
  const own = Object.entries(headers).filter(([name]) => {
    const isOurs = NOT_CREDENTIALS.has(name.toLowerCase());
    if (isOurs) {
      warnings.push(
        fault(["body", "headers", name], "is set by the gateway itself, and was ignored", "no_effect"),
      );
    }
    return !isOurs;
  });
  if (own.length === 0) return rest;
  const authHeaders = own.map(([key, value]) => ({ key, value }));
  const given = Array.isArray(rest.auth_headers) ? rest.auth_headers : [];
  return { auth_type: "authheaders", ...rest, auth_headers: [...given, ...authHeaders] };
}
