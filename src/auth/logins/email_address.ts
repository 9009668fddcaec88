// Which texts are email addresses of users.

/** The longest email address of a user. */
export const MAX_EMAIL_CHARS = 255;

/**
 * Is the text an email address that looks like no other? Invisible characters, and spellings that Unicode takes for the same text
 * (UAX #15, form KC), would let two users have addresses that nobody can tell apart.
 */
export function isEmailAddress(text: string): boolean {
  return text.length <= MAX_EMAIL_CHARS && /^[^\s@\p{C}]+@[^\s@\p{C}]+$/u.test(text) &&
    text === text.normalize("NFKC");
}
