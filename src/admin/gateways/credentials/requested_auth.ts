// Reads the login of a gateway from a request: `auth_type` and its fields.
import type { Credentials, LoginCredentials } from "../../../upstream/credentials.ts";
import { type Fault, fault } from "../../rest/faults.ts";
import { storedAt } from "../../rest/credentials/repeated_masks.ts";
import { type GatewayInput, MASK } from "../../rest/schemas.ts";
import { type AuthKind, hasSecret, idleFields, isGiven, NOT_CREDENTIALS } from "./auth_fields.ts";
import { NONE_STORED, unmasked } from "./masked_secrets.ts";
import { requestedAws } from "./requested_aws.ts";
import { requestedOAuth } from "./requested_oauth.ts";

export interface RequestedAuth {
  /** null: none, or there are faults. */
  readonly credentials: LoginCredentials | null;
  readonly faults: readonly Fault[];
}

/** @param stored the credentials for which masks and missing fields stand */
export function requestedAuth(input: GatewayInput, stored: Credentials | null): RequestedAuth {
  const kept = stored === null ? null : loginOf(stored);
  // Clients of ContextForge may leave auth_type out.
  const meant = input.oauth_config ? "oauth" : input.aws_config ? "aws_sigv4" : kindOf(kept?.type);
  const type = input.auth_type === undefined ? meant : kindOf(input.auth_type);
  const { credentials, faults } = authOfKind(type, input, kept);
  const all = [...faults, ...idleFields(input, type, repeatedKind(input, kept))];
  return { credentials: all.length > 0 ? null : credentials, faults: all };
}

/** The credentials without the certificate, which has fields of its own. */
function loginOf({ certificate: _, references: __, ...login }: Credentials): LoginCredentials {
  return login;
}

function kindOf(type: GatewayInput["auth_type"] | LoginCredentials["type"]): AuthKind | null {
  const isNone = type === undefined || type === null || type === "" || type === "none" || type === "env";
  return isNone ? null : type;
}

/**
 * The stored kind, if the request says the same of it: a client may send back what it has read beside what replaces it. Answers show masks,
 * so a secret itself repeats nothing: otherwise the answer would tell a caller whether a guess is the stored secret.
 */
function repeatedKind(input: GatewayInput, kept: LoginCredentials | null): AuthKind | null {
  const kind = kindOf(kept?.type);
  if (kind === null || hasSecret(input, kind)) return null;
  const { credentials, faults } = authOfKind(kind, input, kept);
  return faults.length === 0 && JSON.stringify(credentials) === JSON.stringify(kept) ? kind : null;
}

function authOfKind(
  type: AuthKind | null,
  input: GatewayInput,
  kept: LoginCredentials | null,
): RequestedAuth {
  const faults: Fault[] = [];
  const given = (
    field:
      | "auth_username"
      | "auth_password"
      | "auth_token"
      | "auth_query_param_key"
      | "auth_query_param_value",
    stored: string | undefined,
  ): string => {
    const value = unmasked(input[field] ?? stored, { value: stored ?? null }, ["body", field], faults);
    if (!value && input[field] !== MASK) {
      faults.push(fault(["body", field], `Field required with auth_type "${type}"`, "missing"));
    }
    return value ?? "";
  };
  const read = (): LoginCredentials | null => {
    switch (type) {
      case null:
        return null;
      case "basic": {
        const old = kept?.type === "basic" ? kept : undefined;
        const username = given("auth_username", old?.username);
        if (username.includes(":")) faults.push(fault(["body", "auth_username"], 'must not contain a ":"'));
        return { type, username, password: given("auth_password", old?.password) };
      }
      case "bearer":
        return { type, token: given("auth_token", kept?.type === "bearer" ? kept.token : undefined) };
      case "authheaders":
        return { type, headers: requestedHeaders(input, kept, faults) };
      case "query_param": {
        const old = kept?.type === "query_param" ? kept : undefined;
        const key = given("auth_query_param_key", old?.key);
        return { type, key, value: given("auth_query_param_value", old?.value) };
      }
      case "oauth":
        return requestedOAuth(input.oauth_config, kept, faults);
      case "aws_sigv4":
        return requestedAws(input.aws_config, kept, faults);
    }
  };
  return { credentials: read(), faults };
}

type Header = NonNullable<GatewayInput["auth_headers"]>[number];

function requestedHeaders(input: GatewayInput, kept: LoginCredentials | null, faults: Fault[]): Header[] {
  const old = kept?.type === "authheaders" ? kept.headers : [];
  const single = singleHeader(input, old[0]?.key, faults);
  const wanted = input.auth_headers ?? single ?? old;
  if (wanted.length === 0) {
    faults.push(fault(["body", "auth_headers"], 'Field required with auth_type "authheaders"', "missing"));
  }
  const storedByName = Map.groupBy(old, nameOf);
  const wantedByName = Map.groupBy(wanted, nameOf);
  return wanted.map((header, i) => {
    const name = nameOf(header);
    if (NOT_CREDENTIALS.has(name)) {
      faults.push(
        fault(
          ["body", "auth_headers", i, "key"],
          `"${header.key}" is set by the gateway and cannot be a credential`,
        ),
      );
    }
    if (header.value !== MASK) return header;
    const stored = storedByName.get(name) ?? [];
    const ofName = wantedByName.get(name)!;
    const found = storedAt(ofName.indexOf(header), ofName, stored);
    if (found === null) {
      const reason = stored.length > 1 ? ambiguous(header.key, stored.length) : NONE_STORED;
      faults.push(fault(["body", "auth_headers", i, "value"], reason));
    }
    return found ?? header;
  });
}

function nameOf({ key }: Header): string {
  return key.toLowerCase();
}

function ambiguous(name: string, count: number): string {
  return `${count} headers named "${name}" are stored, and the mask does not say which one it stands for: ` +
    `send all ${count} in their order, or the values themselves`;
}

/**
 * The pair `auth_header_key` and `auth_header_value`, which answers also have of the first header.
 * @param first the name of the first stored header
 * @returns null if the request has no pair
 */
function singleHeader(
  { auth_header_key: key, auth_header_value: value, auth_headers: list }: GatewayInput,
  first: string | undefined,
  faults: Fault[],
): Header[] | null {
  if (list !== undefined && list !== null) {
    const isRepeated = (key === list[0]?.key && value === list[0]?.value) ||
      (key === first && !isGiven(value));
    if ((isGiven(key) || isGiven(value)) && !isRepeated) {
      const reason = "has no effect beside auth_headers: leave it out, or add the header to auth_headers";
      faults.push(fault(["body", "auth_header_key"], reason));
    }
    return null;
  }
  if (key === undefined || key === null) {
    if (isGiven(value)) {
      const reason = "Field required with auth_header_value";
      faults.push(fault(["body", "auth_header_key"], reason, "missing"));
    }
    return null;
  }
  return [{ key, value: value ?? "" }];
}
