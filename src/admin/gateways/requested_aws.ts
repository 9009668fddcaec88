// Reads `aws_config` from a request.
import type { Credentials, LoginCredentials } from "../../upstream/credentials.ts";
import type { AwsConfig } from "../rest/credentials/aws_config.ts";
import { type Fault, fault } from "../rest/faults.ts";
import { MASK } from "../rest/schemas.ts";

const LOC = ["body", "aws_config"] as const;

/**
 * @param kept the stored credentials, for which masks stand. They also stand for the whole field, if the request has none
 * @param faults further ones are added
 */
export function requestedAws(
  config: AwsConfig | null | undefined,
  kept: Credentials | null,
  faults: Fault[],
): LoginCredentials | null {
  const old = kept?.type === "aws_sigv4" ? kept : null;
  if (config === undefined || config === null) {
    if (old === null) faults.push(fault(LOC, 'Field required with auth_type "aws_sigv4"', "missing"));
    return old;
  }
  const secret = (name: "secret_access_key" | "session_token", stored: string | null): string | null => {
    const value = config[name] ?? null;
    if (value !== MASK) return value;
    if (stored === null || old?.accessKeyId !== config.access_key_id) {
      faults.push(
        fault([...LOC, name], "the mask stands for the stored secret of this access key, and none is stored"),
      );
    }
    return stored;
  };
  return {
    type: "aws_sigv4",
    accessKeyId: config.access_key_id,
    secretAccessKey: secret("secret_access_key", old?.secretAccessKey ?? null) ?? "",
    sessionToken: secret("session_token", old?.sessionToken ?? null),
    region: config.region,
    service: config.service,
  };
}
