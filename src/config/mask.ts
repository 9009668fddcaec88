// Masks secrets in the values of settings that people are shown.

import type { Setting } from "./settings/setting.ts";

const MASK = "****";

/** The text to show for a value; "-" for a setting that is not set. @param known false if `text` is not a valid value */
export function masked(setting: Pick<Setting, "secret">, text: string | null, known = true): string {
  if (text === null) return "-";
  if (setting.secret === undefined) return text.length > 200 ? `${text.slice(0, 200)}…` : text;
  // A text that is not a URL is masked whole: the password in it cannot be found.
  if (setting.secret === "value" || !known) return MASK;
  return text
    .replace(/^([a-z0-9+.-]+:\/\/[^/]*?:).*@/i, `$1${MASK}@`)
    .replace(/([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&#]*/gi, `$1${MASK}`);
}
