// A gateway of another installation, as the registry would have it.
import { isError, type SluiceError } from "../../base/errors.ts";
import { slugify } from "../../catalog/snapshot/tool_name.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { Credentials } from "../../upstream/credentials.ts";
import { NOT_CREDENTIALS } from "../gateways/credentials/auth_fields.ts";
import { NEVER_LISTED } from "../gateways/gateway_draft.ts";
import { type Place, requestedPlace } from "../gateways/gateway_place.ts";
import { untried } from "../gateways/store_gateway.ts";
import type { AdminDeps } from "../rest/deps.ts";
import { gatewayUpdate } from "../rest/schemas.ts";
import { CONTROL, headerName } from "../rest/values.ts";
import type { GatewayItem } from "./bundle.ts";
import { type Fields, fittingFields, originOf, sharingOf, Unfit } from "./item_fields.ts";

/**
 * @param fields those of the REST API by their snake_case names, and `id`, `enabled`, `created_at`, `updated_at`
 * @param kept of the gateway that is here; its address has the values that masks of `url` stand for. null: there is none
 * @throws {Unfit}
 */
export async function gatewayItem(
  { checkEgress, now }: Pick<AdminDeps, "checkEgress" | "now">,
  fields: Fields,
  credentials: Credentials | null,
  kept: Place | null = null,
): Promise<GatewayItem> {
  const essential = ["name", "url", "transport", "visibility", "team_id", "owner_email"];
  const { input, notes } = fittingFields(gatewayUpdate, fields, essential);
  if (input.name === undefined) throw new Unfit("it has no name");
  const { place, faults } = requestedPlace(input, kept);
  if (faults.length > 0) throw new Unfit(`${faults[0]!.loc.at(-1)}: ${faults[0]!.msg}`);
  await requireReachable(checkEgress, place.url);
  const origin = originOf(fields, now().toISOString());
  const sound = soundCredentials(credentials, notes);
  const row: GatewayRow = {
    ...origin,
    ...place,
    name: input.name,
    slug: slugify(input.name),
    description: input.description ?? null,
    authType: null,
    authSecret: null,
    passthroughHeaders: input.passthrough_headers ?? null,
    caCertificate: input.ca_certificate ?? null,
    isolation: input.isolation ?? "session",
    toolApproval: input.tool_approval ?? null,
    protocol: input.protocol ?? "auto",
    ...NEVER_LISTED,
    // The leader of the cluster lists the upstream soon.
    ...untried({ now }, { isTransportOpen: false, credentials: sound }),
    refreshIntervalSeconds: input.refresh_interval_seconds ?? null,
    source: null,
    ...sharingOf(input, notes),
    tags: input.tags ?? [],
  };
  return { row, label: row.name, notes, credentials: sound, credentialsMissing: null };
}

async function requireReachable(checkEgress: AdminDeps["checkEgress"], url: string): Promise<void> {
  try {
    await checkEgress(new URL(url));
  } catch (error) {
    if (!isError(error, "EGRESS_DENIED") && !isError(error, "COMMAND_DENIED")) throw error;
    throw new Unfit((error as SluiceError).message);
  }
}

/** Headers of the connection or the protocol cannot be credentials, and no credential has a line break. @throws {Unfit} */
function soundCredentials(credentials: Credentials | null, notes: string[]): Credentials | null {
  if (credentials === null || credentials.type === "env") return credentials;
  // A private key has several lines, and no header carries it.
  if (credentials.type === "oauth") return credentials;
  const { type: _, certificate, ...values } = credentials;
  const texts = credentials.type === "authheaders"
    ? credentials.headers.map(({ value }) => value)
    : Object.values(values);
  if (texts.some((text) => CONTROL.test(text))) throw new Unfit("its credentials contain control characters");
  if (credentials.type !== "authheaders") return credentials;
  const headers = credentials.headers.filter(({ key }) => {
    const isSound = headerName.safeParse(key).success && !NOT_CREDENTIALS.has(key.toLowerCase());
    if (!isSound) {
      notes.push(`the header ${JSON.stringify(key.slice(0, 100))} is dropped: it cannot be a credential`);
    }
    return isSound;
  });
  if (headers.length > 0) return { ...credentials, headers };
  return certificate === undefined ? null : { type: "none", certificate };
}
