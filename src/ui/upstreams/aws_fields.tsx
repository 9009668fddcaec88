// The fields of an upstream whose requests are signed for AWS.
import { type FormState, TextField } from "../parts/form.tsx";
import type { Upstream } from "./upstream_shapes.ts";

export const AWS_FIELDS = [
  ...["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region", "aws_service"],
];

export function AwsFields({ form, secret }: {
  readonly form: FormState;
  /** What the field of a secret has besides its name. */
  readonly secret: { readonly form: FormState; readonly type: "password"; readonly hint?: string };
}) {
  return (
    <>
      <TextField {...{ name: "aws_access_key_id", label: "Access key id", form }} isCode />
      <TextField {...{ name: "aws_secret_access_key", label: "Secret access key", ...secret }} />
      <TextField {...{ name: "aws_session_token", label: "Session token", ...secret }} />
      <TextField {...{ name: "aws_region", label: "Region", form, placeholder: "us-east-1" }} isCode />
      <TextField
        {...{ name: "aws_service", label: "Service", form, placeholder: "bedrock-agentcore" }}
        isCode
      />
    </>
  );
}

export function awsValues(config: Upstream["awsConfig"]): Readonly<Record<string, string>> {
  if (config === null) return {};
  const { access_key_id, region, service } = config;
  return {
    aws_access_key_id: String(access_key_id),
    aws_region: String(region),
    aws_service: String(service),
  };
}

/** @param former the stored keys. Empty secrets keep the stored ones of the same key */
export function awsConfigOf(
  given: (name: string) => string,
  former: Upstream["awsConfig"],
): Record<string, unknown> {
  const isSame = former?.access_key_id === given("aws_access_key_id");
  const secret = (name: string) => given(`aws_${name}`) || (isSame ? former?.[name] ?? null : null);
  return {
    access_key_id: given("aws_access_key_id"),
    secret_access_key: secret("secret_access_key"),
    session_token: secret("session_token"),
    region: given("aws_region"),
    service: given("aws_service"),
  };
}
