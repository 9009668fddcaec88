// Finds words in the manual.

import type { Token, Tokens } from "marked";
import { type Block, type Page, plainText } from "./page.ts";

/** A section in which the words occur. */
export interface Found<Name extends string = string> {
  readonly topic: Name;
  readonly heading: string;
  /** The anchor of the section's heading. */
  readonly slug: string;
  /** The paragraphs, list items, table rows and lines of code that have all the words. */
  readonly texts: readonly string[];
}

/**
 * The sections with a text in which every word, or a longer word with this beginning, occurs in any case. Sections whose heading has all the words come first; otherwise
 * the order is that of the pages.
 */
export function search<Name extends string>(
  pages: ReadonlyArray<readonly [topic: Name, page: Page]>,
  words: readonly string[],
): Found<Name>[] {
  return headingsFirst(pages.flatMap(([topic, page]) => searchPage(topic, page, words)), words);
}

/** The sections of one page that `search` finds, in the order of the page. */
export function searchPage<Name extends string>(
  topic: Name,
  { blocks, headings }: Page,
  words: readonly string[],
): Found<Name>[] {
  const fits = fitting(words);
  return headings.map(({ text: heading, slug, at }, index) => {
    const texts = blocks.slice(at + 1, headings[index + 1]?.at).flatMap(textsOf).filter(fits);
    return { topic, heading, slug, texts };
  }).filter(({ heading, texts }) => texts.length > 0 || fits(heading));
}

/** Sections whose heading has all the words come first. */
export function headingsFirst<Name extends string>(
  found: readonly Found<Name>[],
  words: readonly string[],
): Found<Name>[] {
  const fits = fitting(words);
  return [...found.filter(({ heading }) => fits(heading)), ...found.filter(({ heading }) => !fits(heading))];
}

function fitting(words: readonly string[]): (text: string) => boolean {
  const wanted = words.map(wordStart);
  return (text) => wanted.every((word) => word.test(text));
}

/** At most `columns` of `text`, with the first of `words` among them; cut between words where there is a space. */
export function excerpt(text: string, [word]: readonly string[], columns: number): string {
  if (text.length <= columns) return text;
  const at = Math.max(0, text.search(wordStart(word!)));
  const from = Math.max(0, Math.min(at - Math.floor(columns / 3), text.length - columns));
  const isWhole = from + columns >= text.length;
  const cut = text.slice(from, from + columns);
  const begun = from === 0 ? cut : cut.replace(/^(?:\S{0,20}\s+|.)/su, "…");
  return isWhole ? begun : begun.replace(/(?:\s+\S{0,20}|.)$/su, "…");
}

/** Matches `word` in any case, where it is not the inside of another word. */
export function wordStart(word: string): RegExp {
  return new RegExp(`(?<![\\p{L}\\p{N}])${RegExp.escape(word)}`, "iu");
}

/** What of a block a reader would call one place. */
function textsOf(block: Block): string[] {
  switch (block.type) {
    case "table": {
      const { header, rows } = block as Tokens.Table;
      return [header, ...rows].map((row) => row.map(({ tokens }) => plainText(tokens)).join(" | "));
    }
    case "list":
      return (block as Tokens.List).items.flatMap(({ tokens }) => tokens.flatMap(textsOf));
    case "blockquote":
      return (block as Tokens.Blockquote).tokens.flatMap(textsOf);
    case "code":
      return (block as Tokens.Code).text.split("\n");
    case "paragraph":
    case "text":
      return [plainText((block as { tokens?: Token[] }).tokens)];
    default:
      return [];
  }
}
