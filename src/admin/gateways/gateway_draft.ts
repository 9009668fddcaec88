// Reads a new gateway from a request: the row to store, and the credentials, before anything is tried.
import type { Principal } from "../../auth/principal.ts";
import { requireOperator } from "../../auth/rbac.ts";
import { slugify } from "../../catalog/snapshot/tool_name.ts";
import type { NewRow } from "../../store/registry/entities.ts";
import { newId } from "../../store/sql/new_id.ts";
import type { GatewayRow, Isolation } from "../../store/registry/rows.ts";
import type { Credentials } from "../../upstream/credentials.ts";
import type { AdminDeps } from "../rest/deps.ts";
import { type Fault, notSupported, soundFields, validated } from "../rest/faults.ts";
import type { KnownFields } from "../rest/fields.ts";
import { newSharing, placed, sharingFaults } from "../rest/lookup.ts";
import { gatewayCreate, type GatewayInput, gatewayUpdate, MASK } from "../rest/schemas.ts";
import { requireApproverOf } from "./approver.ts";
import { requestedCredentials, sealCredentials } from "./gateway_credentials.ts";
import { requestedPlace } from "./gateway_place.ts";

/** Fields of ContextForge for features that the gateway lacks. A value that asks for the feature is refused. */
const UNSUPPORTED_FIELDS = [
  "identity_propagation",
  "auth_value",
];

const JUDGED_FIELDS = [...UNSUPPORTED_FIELDS, "one_time_auth", "gateway_mode", "type", "headers"];
const WITHOUT_EFFECT = ["ca_certificate_sig", "signing_algorithm"];

export const GATEWAY_CREATE: KnownFields = {
  schema: gatewayCreate,
  judged: JUDGED_FIELDS,
  withoutEffect: WITHOUT_EFFECT,
};
export const GATEWAY_UPDATE: KnownFields = { ...GATEWAY_CREATE, schema: gatewayUpdate };

/** The fields of an upstream before its first lists and checks. */
export const NEVER_LISTED = {
  protocols: [],
  capabilities: {},
  serverInfo: null,
  instructions: null,
  protocolVersion: null,
  stateful: null,
  listTtlMs: null,
  skipped: [],
  listWarnings: [],
  lastSeen: null,
  lastCheckedAt: null,
  failedChecks: 0,
  lastError: null,
  lastRefreshAt: null,
  drainingSince: null,
} satisfies Partial<GatewayRow>;

/** A gateway that a request describes. */
export interface GatewayDraft {
  readonly row: NewRow<GatewayRow> & { readonly id: string };
  readonly credentials: Credentials | null;
  /** The request names no transport: it is found by trial. */
  readonly isTransportOpen: boolean;
}

/**
 * @param fields by their snake_case names, as `plainFields` returns them
 * @throws {SluiceError} VALIDATION_FAILED with all faults, FORBIDDEN
 */
export async function draftGateway(
  deps: Pick<AdminDeps, "secretBox" | "store" | "secrets">,
  principal: Principal,
  fields: Readonly<Record<string, unknown>>,
): Promise<GatewayDraft> {
  const raw = placed(principal, "gateways.create", fields);
  const loose = soundFields(gatewayUpdate, raw);
  const { place, faults: placeFaults } = requestedPlace(loose, null);
  if (place.transport === "STDIO") requireOperator(principal, "an upstream that is a program");
  const { credentials, faults } = requestedCredentials(loose, null, place, { deps, principal });
  const input = validated(gatewayCreate, raw, ["body"], [
    // A field with a fault of its own is not also reported as missing.
    ...placeFaults.filter(({ loc, type }) => type !== "missing" || !(loc[1]! in raw)),
    ...faults,
    ...unsupportedFaults(raw),
    ...sharingFaults(raw, null, ["body"]),
  ]);
  const toolApproval = input.tool_approval ?? null;
  requireApproverOf(deps.store, principal, toolApproval, input.team_id ?? null);
  const id = newId();
  const row = {
    id,
    name: input.name,
    slug: slugify(input.name),
    ...place,
    description: input.description ?? null,
    ...await sealCredentials(deps, id, credentials),
    passthroughHeaders: input.passthrough_headers ?? null,
    caCertificate: input.ca_certificate ?? null,
    isolation: requestedIsolation(input) ?? "session",
    protocol: input.protocol ?? "auto",
    ...NEVER_LISTED,
    reachable: true,
    refreshIntervalSeconds: input.refresh_interval_seconds ?? null,
    registration: null,
    source: null,
    toolApproval,
    enabled: true,
    ...newSharing(input, principal),
  };
  const isTransportOpen = input.transport === undefined && row.transport === "STREAMABLEHTTP";
  return { row, credentials, isTransportOpen };
}

/** `session_mode` is the former name of the field, which clients send back as they have read it. */
export function requestedIsolation(
  { isolation, session_mode: former }: GatewayInput,
): Isolation | undefined {
  return isolation ?? (former === "bound" ? "session" : former);
}

/** Faults for features of ContextForge that this version lacks. */
export function unsupportedFaults(raw: Readonly<Record<string, unknown>>): Fault[] {
  const faults: Fault[] = [];
  for (const field of UNSUPPORTED_FIELDS) {
    const value = raw[field];
    if (value !== undefined && value !== null && value !== "" && value !== MASK) {
      faults.push(notSupported(["body", field], field));
    }
  }
  if (raw.one_time_auth === true) faults.push(notSupported(["body", "one_time_auth"], "one_time_auth"));
  if (raw.gateway_mode === "direct_proxy") {
    faults.push(notSupported(["body", "gateway_mode"], 'gateway_mode "direct_proxy"'));
  }
  return faults;
}
