// The one-time token that makes the first administrator. It stands in place of a default password.
import type { PeopleStore } from "../../store/people/people_store.ts";
import { digest } from "./logins.ts";

/** The purpose of the token in the store. */
export const FIRST_ADMINISTRATOR = "first administrator";

/**
 * A token for the first administrator, if there are no users yet. One of several processes that start together gets one; the others,
 * and starts while it is valid, get none.
 * @returns null if there are users, or if a token is valid already
 */
export async function offerSetupToken(people: PeopleStore, ttlMs: number): Promise<string | null> {
  if (await people.users.count() > 0) return null;
  const token = crypto.getRandomValues(new Uint8Array(24)).toBase64({ alphabet: "base64url" });
  return await people.oneTimeTokens.offer(FIRST_ADMINISTRATOR, digest(token), ttlMs) ? token : null;
}
