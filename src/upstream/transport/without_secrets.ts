// What an upstream says of a failed request, without the secrets that the request held.

/** Shorter values, and shorter segments of a path, are no secrets. */
const MIN_VALUE_CHARACTERS = 4;
const MIN_SEGMENT_CHARACTERS = 20;

/** Headers that hold no secret. */
const PUBLIC_HEADERS: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "content-type",
  "last-event-id",
  "mcp-method",
  "mcp-name",
  "mcp-protocol-version",
  "user-agent",
]);

/** The words without the secrets of a request. Servers repeat address and credentials in their error pages, which operators read. */
export function withoutSecretsOf(
  url: URL,
  headers: ReadonlyArray<readonly [name: string, value: string]>,
  words: string,
): string {
  const { search, searchParams, pathname } = url;
  const values = search === "" ? [] : [
    ...searchParams.values(),
    ...search.slice(1).split("&").map((parameter) => parameter.slice(parameter.indexOf("=") + 1)),
  ];
  const sent = headers.filter(([name]) => !PUBLIC_HEADERS.has(name)).flatMap(([, value]) => partsOf(value));
  const secrets = [
    ...[...values, ...sent].filter(({ length }) => length >= MIN_VALUE_CHARACTERS),
    ...pathname.split("/").filter(({ length }) => length >= MIN_SEGMENT_CHARACTERS),
  ];
  return without(secrets, words);
}

/** The words of a process without the values of the variables that it was given. */
export function withoutValuesOf(variables: Readonly<Record<string, string>>, words: string): string {
  return without(Object.values(variables).filter(({ length }) => length >= MIN_VALUE_CHARACTERS), words);
}

function without(secrets: readonly string[], words: string): string {
  // A longer secret may contain a shorter one.
  const longestFirst = secrets.toSorted((one, other) => other.length - one.length);
  return longestFirst.reduce((text, secret) => text.replaceAll(secret, "***"), words);
}

/** A header's value, the token after its scheme, and the password of basic credentials. */
function partsOf(value: string): string[] {
  const token = /^\S+ +(\S+)$/.exec(value)?.[1];
  if (token === undefined) return [value];
  return /^basic /i.test(value) ? [value, token, passwordIn(token)] : [value, token];
}

function passwordIn(token: string): string {
  try {
    const pair = new TextDecoder().decode(Uint8Array.fromBase64(token));
    return pair.slice(pair.indexOf(":") + 1);
  } catch {
    return "";
  }
}
