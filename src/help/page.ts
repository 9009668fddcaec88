// A page of the manual, parsed: its blocks, headings and sections. How it is shown is up to whoever shows it.

import { lexer, type Token, type Tokens } from "marked";

export type Block = Token;

export interface Heading {
  readonly depth: number;
  readonly text: string;
  /** The anchor of the heading in links, as GitHub makes it. Unique in its page. */
  readonly slug: string;
  /** The place of the heading among the blocks. */
  readonly at: number;
}

export interface Page {
  readonly title: string;
  readonly blocks: readonly Block[];
  readonly headings: readonly Heading[];
}

/** Parses GitHub's Markdown. */
export function parsePage(markdown: string): Page {
  const blocks = lexer(markdown).filter(({ type }) => type !== "space");
  const headings: Heading[] = [];
  for (const [at, block] of blocks.entries()) {
    if (block.type !== "heading") continue;
    const { depth, tokens } = block as Tokens.Heading;
    const text = plainText(tokens);
    const repeated = headings.filter((heading) => slugOf(heading.text) === slugOf(text)).length;
    headings.push({ depth, text, slug: repeated === 0 ? slugOf(text) : `${slugOf(text)}-${repeated}`, at });
  }
  return { title: headings[0]?.text ?? "", blocks, headings };
}

/** The blocks from the heading with this slug up to the next heading that is not below it; null: no such heading. */
export function sectionOf({ blocks, headings }: Page, slug: string): readonly Block[] | null {
  const from = headings.findIndex((heading) => heading.slug === slug);
  if (from === -1) return null;
  const { at, depth } = headings[from]!;
  return blocks.slice(at, headings.slice(from + 1).find((next) => next.depth <= depth)?.at);
}

/** The text of inline tokens, without emphasis, links, code marks and HTML. */
export function plainText(tokens: readonly Token[] = []): string {
  return tokens.map((token) => {
    if (token.type === "br") return " ";
    if (token.type === "html") return "";
    const { tokens, text } = token as Tokens.Text;
    return tokens === undefined ? text : plainText(tokens);
  }).join("").replaceAll(/\s+/g, " ");
}

export function slugOf(text: string): string {
  return text.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-");
}
