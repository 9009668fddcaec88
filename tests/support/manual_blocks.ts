// The command blocks of a page: README.md, or one of the manual. tests/README.md has the comments that may stand above them.

import type { Token, Tokens } from "marked";
import { parsePage } from "../../src/help/page.ts";

const LANGS = ["sh", "ts", "python"] as const;
type Lang = typeof LANGS[number];

export type Mode =
  | { readonly kind: "runs" }
  | { readonly kind: "fails" }
  /** It goes on running and serves this port. */
  | { readonly kind: "server"; readonly port: number }
  /** It runs when the server of this port has ended. */
  | { readonly kind: "stopped"; readonly port: number }
  | { readonly kind: "not"; readonly reason: string };

/** A block of commands, or the whole program of a client. */
export interface CommandBlock {
  readonly lang: Lang;
  readonly code: string;
  readonly mode: Mode;
  /** The output that the page shows below it. */
  readonly shown: { readonly lang: "text" | "json"; readonly text: string } | null;
}

/** The blocks of a page in their order. @throws {Error} if a comment `run:` has no block, or says something unknown */
export function commandBlocks(markdown: string): CommandBlock[] {
  const blocks: CommandBlock[] = [];
  let mode: Mode | null = null;
  let previous: CommandBlock | null = null;
  for (const token of leaves(parsePage(markdown).blocks)) {
    if (token.type === "html") {
      const found = /^<!-- run: (.*) -->$/s.exec(token.raw.trim());
      if (found !== null) mode = modeOf(found[1]!);
      continue;
    }
    const { lang = "", text } = token as Tokens.Code;
    const isCode = token.type === "code";
    if (isCode && isLang(lang)) {
      blocks.push(previous = { lang, code: text, mode: mode ?? { kind: "runs" }, shown: null });
      mode = null;
      continue;
    }
    if (mode !== null) {
      throw new Error(`no block to run follows the comment "run: ${mode.kind}": ${token.raw}`);
    }
    if (isCode && (lang === "text" || lang === "json") && previous !== null) {
      blocks[blocks.length - 1] = { ...previous, shown: { lang, text } };
    }
    previous = null;
  }
  return blocks;
}

function isLang(lang: string): lang is Lang {
  return LANGS.some((each) => each === lang);
}

function modeOf(text: string): Mode {
  const [kind, ...rest] = text.split(/[ ,]+/);
  if (kind === "fails" && rest.length === 0) return { kind };
  if ((kind === "server" || kind === "stopped") && /^\d+$/.test(rest[0] ?? "") && rest.length === 1) {
    return { kind, port: Number(rest[0]) };
  }
  if (kind === "not" && rest.length > 0) return { kind, reason: rest.join(" ") };
  throw new Error(`unknown comment "run: ${text}"; tests/README.md has those that there are`);
}

/** Paragraphs, code and comments, those of lists among them. */
function leaves(tokens: readonly Token[]): Token[] {
  return tokens.flatMap((token) => {
    if (token.type === "space") return [];
    if (token.type === "list") return (token as Tokens.List).items.flatMap((item) => leaves(item.tokens));
    return [token];
  });
}
