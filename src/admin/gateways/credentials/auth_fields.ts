// The fields of each kind of credentials, and those of a request that its kind does not use.
import type { LoginCredentials } from "../../../upstream/credentials.ts";
import { type Fault, fault } from "../../rest/faults.ts";
import { type GatewayInput, MASK } from "../../rest/schemas.ts";

/** Headers of the connection or the protocol: they cannot carry credentials. */
export const NOT_CREDENTIALS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "content-type",
  "accept",
  "host",
  "mcp-protocol-version",
  "mcp-session-id",
  "transfer-encoding",
  "upgrade",
]);

/** The kinds of credentials that a request can name in `auth_type`. */
export type AuthKind = Exclude<LoginCredentials["type"], "none" | "env">;

const FIELDS = {
  basic: ["auth_username", "auth_password"],
  bearer: ["auth_token"],
  authheaders: ["auth_headers", "auth_header_key", "auth_header_value"],
  query_param: ["auth_query_param_key", "auth_query_param_value"],
  oauth: ["oauth_config"],
  aws_sigv4: ["aws_config"],
} as const satisfies Readonly<Record<AuthKind, readonly (keyof GatewayInput)[]>>;

/** The secrets of each kind in a request. */
const SECRETS: Readonly<Record<AuthKind, (input: GatewayInput) => readonly (string | null | undefined)[]>> = {
  basic: (input) => [input.auth_password],
  bearer: (input) => [input.auth_token],
  authheaders: (input) => [input.auth_header_value, ...(input.auth_headers ?? []).map(({ value }) => value)],
  query_param: (input) => [input.auth_query_param_value],
  oauth: ({ oauth_config: config }) => [config?.client_secret, config?.private_key],
  aws_sigv4: ({ aws_config: config }) => [config?.secret_access_key, config?.session_token],
};

const KINDS = Object.keys(FIELDS) as readonly AuthKind[];

export const AUTH_FIELDS = KINDS.flatMap((kind): readonly (typeof FIELDS)[AuthKind][number][] =>
  FIELDS[kind]
);

/** Has the field a value of its own? Forms send empty texts and lists, and a mask only stands for what is stored. */
export function isGiven(value: GatewayInput[typeof AUTH_FIELDS[number]]): boolean {
  const isEmpty = value === "" || Array.isArray(value) && value.length === 0;
  return value !== undefined && value !== null && !isEmpty && value !== MASK;
}

/** Has the request a secret of this kind, and no mask in its place? */
export function hasSecret(input: GatewayInput, kind: AuthKind): boolean {
  return SECRETS[kind](input).some(isGiven);
}

/**
 * The fields of other kinds than `type`.
 * @param type null: the upstream gets no credentials
 * @param repeated the kind whose fields only repeat what is stored; null: there is none
 */
export function idleFields(input: GatewayInput, type: AuthKind | null, repeated: AuthKind | null): Fault[] {
  const reason = type === null
    ? "has no effect without credentials"
    : `has no effect with auth_type "${type}"`;
  return KINDS.filter((kind) => kind !== type && kind !== repeated).flatMap((kind) =>
    FIELDS[kind].filter((field) => isGiven(input[field])).map((field) =>
      fault(["body", field], `${reason}: leave it out, or set auth_type "${kind}"`)
    )
  );
}
