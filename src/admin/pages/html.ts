// Room `pages`: pages for browsers, made on the server, without scripts. This file writes HTML: a template escapes every value
// that is not HTML itself.

/** Text that is HTML already. Only `html` makes it. */
export class Html {
  constructor(readonly text: string) {}
}

/** A value in a template: text is escaped, lists are joined, null is nothing. */
export type Part = string | number | null | Html | readonly Part[];

/**
 * HTML with the values of the template escaped: `html`<p>${text}</p>``. Attributes have to stand in double quotes. The indentation of
 * the template, which only a reader of the source needs, is left out.
 */
export function html({ raw }: TemplateStringsArray, ...values: readonly Part[]): Html {
  const template = raw.map((part) => part.replace(/\n\s+/g, "\n"));
  return new Html(
    template.reduce((text, part, i) => text + part + (i < values.length ? textOf(values[i]) : ""), ""),
  );
}

function textOf(part: Part): string {
  if (part === null) return "";
  if (part instanceof Html) return part.text;
  return typeof part === "object" ? part.map(textOf).join("") : escaped(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/** Text with names in backticks, as the descriptions of the API are written. */
export function inline(text: string): Html {
  const parts = text.split("`");
  return html`${parts.map((part, i) => i % 2 === 0 ? part : html`<code>${part}</code>`)}`;
}

/** Paragraphs with an empty line between them. */
export function paragraphs(text: string): Html {
  return html`${text.split("\n\n").map((each) => html`<p>${inline(each)}</p>`)}`;
}
