// References to secrets that the gateway's operator keeps outside of the registry: `${file:NAME}` and `${secret:NAME}` within the text
// of a credential.

export type ReferenceKind = "file" | "secret";

export interface Reference {
  readonly kind: ReferenceKind;
  readonly name: string;
  /** As it stands in the text. */
  readonly written: string;
}

const REFERENCE = /\$\{(file|secret):([^{}]*)\}/g;

/** All references in the texts of a value, in their order. */
export function referencesIn(value: unknown): Reference[] {
  if (typeof value === "string") {
    return [...value.matchAll(REFERENCE)].map(([written, kind, name]) => ({
      kind: kind as ReferenceKind,
      name: name!,
      written,
    }));
  }
  if (value === null || typeof value !== "object") return [];
  return Object.values(value).flatMap(referencesIn);
}

/** A copy of JSON in which each reference is what `read` finds. What `read` returns is not looked at again. */
export async function withSecrets<T>(
  value: T,
  read: (reference: Reference) => Promise<string>,
): Promise<T> {
  const found = new Map<string, string>();
  for (const reference of referencesIn(value)) {
    if (!found.has(reference.written)) found.set(reference.written, await read(reference));
  }
  return replaced(value, found) as T;
}

function replaced(value: unknown, found: ReadonlyMap<string, string>): unknown {
  if (typeof value === "string") return value.replace(REFERENCE, (written) => found.get(written) ?? written);
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((each) => replaced(each, found));
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, replaced(each, found)]));
}
