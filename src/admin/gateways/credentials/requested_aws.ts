// Reads `aws_config` from a request.
import type { LoginCredentials } from "../../../upstream/credentials.ts";
import type { AwsConfig } from "../../rest/credentials/aws_config.ts";
import { type Fault, fault } from "../../rest/faults.ts";
import { unmasked } from "./masked_secrets.ts";

const LOC = ["body", "aws_config"] as const;

/**
 * @param kept the stored credentials, for which masks stand. They also stand for the whole field, if the request has none
 * @param faults further ones are added
 */
export function requestedAws(
  config: AwsConfig | null | undefined,
  kept: LoginCredentials | null,
  faults: Fault[],
): LoginCredentials | null {
  const old = kept?.type === "aws_sigv4" ? kept : null;
  if (config === undefined || config === null) {
    if (old === null) faults.push(fault(LOC, 'Field required with auth_type "aws_sigv4"', "missing"));
    return old;
  }
  const former = old !== null && old.accessKeyId !== config.access_key_id ? "access key" : null;
  const secret = (name: "secret_access_key" | "session_token", value: string | null): string | null =>
    unmasked(config[name], { value, former }, [...LOC, name], faults);
  return {
    type: "aws_sigv4",
    accessKeyId: config.access_key_id,
    secretAccessKey: secret("secret_access_key", old?.secretAccessKey ?? null) ?? "",
    sessionToken: secret("session_token", old?.sessionToken ?? null),
    region: config.region,
    service: config.service,
  };
}
