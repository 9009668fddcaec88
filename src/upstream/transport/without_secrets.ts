// What an upstream says of a failed request, without the secrets in its URL.

/** Shorter values, and shorter segments of a path, are no secrets. */
const MIN_VALUE_CHARACTERS = 4;
const MIN_SEGMENT_CHARACTERS = 20;

/** The words without the secrets of `url`. Servers repeat the address in their error pages, which callers and operators read. */
export function withoutSecretsOf(url: URL, words: string): string {
  const { search, searchParams, pathname } = url;
  const values = search === "" ? [] : [
    ...searchParams.values(),
    ...search.slice(1).split("&").map((parameter) => parameter.slice(parameter.indexOf("=") + 1)),
  ];
  const secrets = [
    ...values.filter(({ length }) => length >= MIN_VALUE_CHARACTERS),
    ...pathname.split("/").filter(({ length }) => length >= MIN_SEGMENT_CHARACTERS),
  ];
  return secrets.reduce((text, secret) => text.replaceAll(secret, "***"), words);
}
