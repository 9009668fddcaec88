// What an upstream says of the token that it wants: the Bearer challenge of a 401 or 403 (RFC 6750, section 3; RFC 9728, section 5.1).

export interface BearerChallenge {
  readonly error: string | null;
  readonly scope: string | null;
  /** Where the metadata of the resource are, as written. */
  readonly resourceMetadata: string | null;
}

/** A longer header is cut. */
const MAX_CHALLENGE_CHARS = 4_096;

/** @param header the value of WWW-Authenticate; null: there is none */
export function readChallenge(header: string | null): BearerChallenge {
  const text = (header ?? "").slice(0, MAX_CHALLENGE_CHARS);
  const at = text.search(/(^|[\s,])bearer(\s|$)/i);
  const values = new Map<string, string>();
  if (at !== -1) {
    for (
      const [, name, quoted, plain] of text.slice(at).matchAll(
        /([a-z_]{1,40})\s{0,4}=\s{0,4}(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/gi,
      )
    ) {
      const known = name.toLowerCase();
      if (!values.has(known)) values.set(known, quoted?.replaceAll(/\\(.)/g, "$1") ?? plain);
    }
  }
  return {
    error: values.get("error") ?? null,
    scope: values.get("scope") ?? null,
    resourceMetadata: values.get("resource_metadata") ?? null,
  };
}

/** The scopes of all texts, once each, in their order; null: there are none. */
export function unionOfScopes(...texts: readonly (string | null | undefined)[]): string | null {
  const all = new Set(texts.flatMap((text) => (text ?? "").split(" ").filter((scope) => scope !== "")));
  return all.size === 0 ? null : [...all].join(" ");
}
