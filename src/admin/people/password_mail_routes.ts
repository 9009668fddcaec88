// /auth/email/forgot-password, and the look at a one-time link before it is used.
import { userOfPasswordToken } from "../../auth/logins/one_time_links.ts";
import { SluiceError } from "../../base/errors.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { type KnownFields, readFields } from "../rest/fields.ts";
import { forgotten } from "../rest/people/session_schemas.ts";

const FORGOTTEN: KnownFields = { schema: forgotten };

/** Known and unknown addresses are answered alike, and at once. */
export async function forgotPassword(call: Call): Promise<AdminResponse> {
  const { deps, client } = call;
  const { email } = validated(forgotten, readFields(call, await call.body(), ["body"], FORGOTTEN), ["body"]);
  if (deps.passwordMails === null) {
    throw new SluiceError("FORBIDDEN", {
      reason: "this gateway sends no mail (SMTP_ENABLED); ask an administrator for a one-time link",
    });
  }
  await deps.passwordMails.request(email, client);
  return ok({ success: true, message: "If this email is registered, you will receive a reset link." });
}

/** @throws {SluiceError} UNAUTHENTICATED */
export async function checkPasswordToken({ deps, params: { token } }: Call): Promise<AdminResponse> {
  const found = await userOfPasswordToken(deps.store.people, token!);
  if (found === null) {
    throw new SluiceError("UNAUTHENTICATED", {
      reason: "the one-time token is wrong, used or expired; ask for another link",
    });
  }
  return {
    ...ok({
      valid: true,
      message: "Reset token is valid",
      expires_at: new Date(found.expiresAt).toISOString(),
    }),
    headers: { "cache-control": "no-store" },
  };
}
