// The field `aws_config` of a gateway: the keys that sign the requests to an upstream.
import * as z from "zod";
import type { AwsKeys } from "../../../upstream/identity/aws_signature.ts";
import { field } from "../described.ts";
import { CONTROL } from "../values.ts";

const key = (max: number) =>
  z.string().trim().min(1).max(max).refine((value) => !CONTROL.test(value), "must be one line");

/** A part of a credential scope, which slashes separate. */
const scopePart = z.string().trim().regex(
  /^[a-z0-9][a-z0-9-]{0,62}$/,
  "must have small letters, digits and hyphens",
);

export const awsConfig = z.strictObject({
  access_key_id: field(key(256), "The id of the access key.", "AKIAIOSFODNN7EXAMPLE"),
  secret_access_key: field(key(1_024), "The secret access key. Answers mask it.", "SECRET"),
  session_token: field(
    key(8_192).nullable().optional(),
    "The session token of temporary keys. Answers mask it.",
  ),
  region: field(scopePart, "The AWS region of the upstream.", "us-east-1"),
  service: field(scopePart, "The AWS service of the upstream.", "bedrock-agentcore"),
});

export type AwsConfig = z.output<typeof awsConfig>;

/** The field in answers. @param mask stands for secrets */
export function awsConfigRead(keys: AwsKeys, mask: string): Record<string, unknown> {
  return {
    access_key_id: keys.accessKeyId,
    secret_access_key: mask,
    session_token: keys.sessionToken === null ? null : mask,
    region: keys.region,
    service: keys.service,
  };
}
