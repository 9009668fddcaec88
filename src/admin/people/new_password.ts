// Reads a new password from a request.
import { passwordFault } from "../../auth/logins/password_rules.ts";
import type { AdminDeps } from "../rest/deps.ts";
import { fault, refuse } from "../rest/faults.ts";

/**
 * @param field the name of the field that has the password
 * @returns the hash. @throws {SluiceError} VALIDATION_FAILED, OVERLOADED
 */
export async function newPasswordHash(
  { passwords, accounts }: Pick<AdminDeps, "passwords" | "accounts">,
  { email, password, field }: { readonly email: string; readonly password: string; readonly field: string },
): Promise<string> {
  const wrong = passwordFault(password, email, accounts.minPasswordChars);
  refuse(wrong === null ? [] : [fault(["body", field], wrong, "password")]);
  return await passwords.make(password);
}

/** Tokens that were issued before this moment end. Tokens have their time in whole seconds. */
export function thisSecond({ now }: Pick<AdminDeps, "now">): number {
  return Math.floor(now().getTime() / 1000) * 1000;
}
