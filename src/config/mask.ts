// How a setting's text is shown to people: whole, without its password, or not at all.

import type { Setting } from "./settings/setting.ts";

const MASK = "****";

/** The text to show for `text`; null (not set) is "-". `known` is false where the text is not a valid value. */
export function masked(setting: Pick<Setting, "secret">, text: string | null, known = true): string {
  if (text === null) return "-";
  if (setting.secret === undefined) return text.length > 200 ? `${text.slice(0, 200)}…` : text;
  // In a text that is not even a URL nobody can tell the password from the rest.
  if (setting.secret === "value" || !known) return MASK;
  return text
    .replace(/^([a-z0-9+.-]+:\/\/[^/]*?:).*@/i, `$1${MASK}@`)
    .replace(/([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&#]*/gi, `$1${MASK}`);
}
