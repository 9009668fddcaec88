// What a form that changes something showed when it was opened. Only what its reader has changed since is written: what others have
// changed meanwhile, or the reader in another tab, stays.
import type { FormFields } from "../call/page_call.ts";
import type { FormState } from "./form.tsx";

const NAME = "seen";

/** The notice after a form without changes. */
export const UNCHANGED = { text: "Nothing is changed." };

/** @param values of the form as it is opened */
export function SeenValues({ form, values }: {
  readonly form: FormState;
  readonly values: URLSearchParams;
}) {
  return <input type="hidden" name={NAME} value={form.values.get(NAME) ?? String(values)} />;
}

/** @param current what is stored: of a form that says nothing about what it showed */
export function seenIn(sent: URLSearchParams, current: URLSearchParams): URLSearchParams {
  const seen = sent.get(NAME);
  return seen === null ? current : new URLSearchParams(seen);
}

/** A form that takes back what has made `after` of `before`, and nothing that others change meanwhile. */
export function undoFields(before: URLSearchParams, after: URLSearchParams): FormFields {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  const changed = names.filter((name) => String(before.getAll(name)) !== String(after.getAll(name)));
  const seen = changed.flatMap((name) => after.getAll(name).map((value) => [name, value]));
  return {
    ...Object.fromEntries(changed.map((name) => [name, before.getAll(name)])),
    [NAME]: String(new URLSearchParams(seen)),
  };
}

/** Has the reader changed a field of one line? Browsers send its value without line breaks, which the stored text may have. */
export function isLineChanged(
  name: string,
  { sent, seen }: Readonly<Record<"sent" | "seen", URLSearchParams>>,
): boolean {
  const line = (values: URLSearchParams) => (values.get(name) ?? "").replace(/[\r\n]/g, "").trim();
  return line(sent) !== line(seen);
}

/**
 * What is stored, with what the reader of the form has added and taken away.
 * @returns null: nothing of what is stored changes. A list that is written again would replace what others write meanwhile, and what the
 * form does not show
 */
export function mergedValues(
  { sent, seen, current }: Readonly<Record<"sent" | "seen" | "current", readonly string[]>>,
): string[] | null {
  const [wanted, shown, stored] = [new Set(sent), new Set(seen), new Set(current)];
  const removed = shown.difference(wanted).intersection(stored);
  const added = wanted.difference(shown).difference(stored);
  return removed.size + added.size === 0 ? null : [...stored.difference(removed).union(added)];
}

/**
 * The same for lines that give names values. A name may have several lines: the order tells them apart.
 * @returns null: nothing of what is stored changes
 */
export function mergedLines(
  { sent, seen, current }: Readonly<Record<"sent" | "seen" | "current", readonly string[]>>,
  nameOf: (line: string) => string,
): string[] | null {
  const [wanted, shown, stored] = [sent, seen, current].map((lines) => linesByPlace(lines, nameOf));
  const merged = [...stored!.keys(), ...[...wanted!.keys()].filter((place) => !stored!.has(place))]
    .flatMap((place) => (wanted!.get(place) === shown!.get(place) ? stored! : wanted!).get(place) ?? []);
  return merged.join("\n") === current.join("\n") ? null : merged;
}

/** The lines by their name and their place among those of the name. */
function linesByPlace(lines: readonly string[], nameOf: (line: string) => string): Map<string, string> {
  const counts = new Map<string, number>();
  return new Map(lines.map((line) => {
    const name = nameOf(line);
    const place = counts.get(name) ?? 0;
    counts.set(name, place + 1);
    return [`${place} ${name}`, line];
  }));
}
