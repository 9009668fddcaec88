// One-time links: they make the first administrator, and set passwords. They stand in place of default passwords and of passwords that
// somebody else has chosen. The token is behind the `#` of a link, which browsers send to no server, so that no access log has it.
import type { PeopleStore } from "../../store/people/people_store.ts";
import { digest } from "./logins.ts";

/** The purpose of the first administrator's token in the store. */
export const FIRST_ADMINISTRATOR = "first administrator";

const PASSWORD = "password of ";

/** The page where a user sets a password, below the gateway's address. */
export function passwordLink(token: string): string {
  return `/admin/reset-password#${token}`;
}

/** For the first administrator. `token` is null if another start has handed out one that is still valid. */
export interface SetupOffer {
  readonly token: string | null;
}

/**
 * A token for the first administrator. One of several processes that start together gets one; the others, and starts while it is
 * valid, get none.
 * @returns null if there are users
 */
export async function offerSetupToken(people: PeopleStore, ttlMs: number): Promise<SetupOffer | null> {
  if (await people.users.count() > 0) return null;
  const token = newToken();
  const isOffered = await people.oneTimeTokens.offer(FIRST_ADMINISTRATOR, digest(token), ttlMs);
  return { token: isOffered ? token : null };
}

/** A token with which the user sets a new password. The user's former one ends. */
export async function passwordToken(people: PeopleStore, userId: string, ttlMs: number): Promise<string> {
  const token = newToken();
  await people.oneTimeTokens.replace(PASSWORD + userId, digest(token), ttlMs);
  return token;
}

/** The user whose password the token sets, and until when (ms since the epoch); null: the token is wrong, used or expired. */
export async function userOfPasswordToken(
  people: PeopleStore,
  token: string,
): Promise<{ readonly userId: string; readonly expiresAt: number } | null> {
  const found = await people.oneTimeTokens.find(digest(token));
  if (found?.purpose.startsWith(PASSWORD) !== true) return null;
  return { userId: found.purpose.slice(PASSWORD.length), expiresAt: found.expiresAt };
}

/** Uses the token up. @returns false if it is wrong, used or expired */
export async function usePasswordToken(people: PeopleStore, userId: string, token: string): Promise<boolean> {
  return await people.oneTimeTokens.use(PASSWORD + userId, digest(token));
}

function newToken(): string {
  return crypto.getRandomValues(new Uint8Array(24)).toBase64({ alphabet: "base64url" });
}
