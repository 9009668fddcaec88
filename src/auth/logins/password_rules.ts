// The rules of new passwords. They follow NIST SP 800-63B, section 5.1.1.2: length matters, and no kinds of characters are required.

/** A longer password is refused unread. */
export const MAX_PASSWORD_CHARS = 1_024;

/** @returns what is wrong with a new password, as a sentence without a subject; null: nothing */
export function passwordFault(password: string, email: string, minChars: number): string | null {
  const chars = [...password].length;
  if (chars < minChars) return `must have at least ${minChars} characters (PASSWORD_MIN_LENGTH_USER)`;
  if (password.length > MAX_PASSWORD_CHARS) return `must have at most ${MAX_PASSWORD_CHARS} characters`;
  if (new Set(password.toLowerCase()).size < 5) return "must have at least 5 different characters";
  const address = email.toLowerCase();
  const name = address.split("@", 1)[0];
  const withoutAddress = password.toLowerCase().replaceAll(address, "");
  const rest = name.length < 3 ? withoutAddress : withoutAddress.replaceAll(name, "");
  if ([...rest].length < minChars / 2) return "must not consist of the email address";
  return null;
}
