// The URL of an upstream in answers. A path or a query can be the credential of a hosted MCP server, so only administrators see the
// path, and nobody sees the values of the query.
import type { Principal } from "../../auth/principal.ts";
import { storedAt } from "./credentials/repeated_masks.ts";
import { MASK } from "./schemas.ts";

/** Administrators see the URL with masks in its query, or the whole command of a process. Others see the origin, or the scheme. */
export function shownUrl(url: string, { isAdmin }: Pick<Principal, "isAdmin">): string {
  const { protocol, origin } = new URL(url);
  if (protocol === "stdio:") return isAdmin ? url : protocol;
  return isAdmin ? maskedUrl(url) : origin;
}

/** The URL with a mask for each value in its query. A parameter without a name counts as a value. */
export function maskedUrl(url: string): string {
  return withQuery(
    url,
    (parameters) => parameters.map(({ name, value }) => ({ name, value: value === "" ? "" : MASK })),
  );
}

/**
 * The URL with the stored values in place of masks: a value of the same name, and the same one where a name occurs several times.
 * @param stored the URL before the request; null for a new gateway
 * @returns null if a mask stands for no stored value, or does not say for which one
 */
export function unmaskedUrl(url: string, stored: string | null): string | null {
  const old = stored === null ? [] : parametersOf(new URL(stored).search);
  const oldByName = Map.groupBy(old, ({ name }) => name);
  let isKnown = true;
  const unmasked = withQuery(url, (parameters) => {
    const byName = Map.groupBy(parameters, ({ name }) => name);
    return parameters.map((parameter) => {
      if (parameter.value !== MASK) return parameter;
      const ofName = byName.get(parameter.name)!;
      const known = storedAt(ofName.indexOf(parameter), ofName, oldByName.get(parameter.name) ?? []);
      if (known === null) isKnown = false;
      return known ?? parameter;
    });
  });
  return isKnown ? unmasked : null;
}

/** A parameter as written, percent-encoded. */
interface Parameter {
  /** null for a parameter without "=". */
  readonly name: string | null;
  readonly value: string;
}

function parametersOf(search: string): Parameter[] {
  if (search.length <= 1) return [];
  return search.slice(1).split("&").map((text) => {
    const at = text.indexOf("=");
    return at < 0 ? { name: null, value: text } : { name: text.slice(0, at), value: text.slice(at + 1) };
  });
}

function withQuery(url: string, change: (parameters: readonly Parameter[]) => readonly Parameter[]): string {
  const parsed = new URL(url);
  if (parsed.search === "") return url;
  parsed.search = change(parametersOf(parsed.search))
    .map(({ name, value }) => name === null ? value : `${name}=${value}`).join("&");
  return parsed.href;
}
