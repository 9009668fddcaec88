// A page of the manual as text for a terminal.

import type { Token, Tokens } from "marked";
import { type Block, plainText } from "../../help/page.ts";
import { isTopic } from "../../help/topics.ts";
import { wrapped } from "../command_line/help_text.ts";
import { tableLines } from "./table_text.ts";

export interface TerminalStyle {
  /** Columns of the terminal. */
  readonly columns: number;
  /** Makes headings stand out; the identity without colours. */
  bold(text: string): string;
}

/** Text stands below its heading, as in a manual page. */
const INDENT = 2;
const CODE_INDENT = 4;
/** Code and commands up to this length stand on one line. */
const LONGEST_UNBROKEN = 56;

/** `blocks` of the page `topic`, without a line longer than the terminal, except for code. */
export function pageText(topic: string, blocks: readonly Block[], style: TerminalStyle): string {
  return joined(blocks.map((block) => blockLines(topic, block, style))).join("\n");
}

function blockLines(topic: string, block: Block, style: TerminalStyle): string[] {
  const columns = style.columns - INDENT;
  switch (block.type) {
    case "heading": {
      const { depth, tokens } = block as Tokens.Heading;
      const lines = wrapped(plainText(tokens), style.columns - 1);
      return lines.map((line) =>
        (depth > 2 ? " " : "") + style.bold(depth === 1 ? line.toUpperCase() : line)
      );
    }
    case "table": {
      const { header, rows } = block as Tokens.Table;
      const cells = ({ tokens }: Tokens.TableCell): string => cellText(topic, tokens);
      return indented(tableLines(header.map(cells), rows.map((row) => row.map(cells)), columns, style.bold));
    }
    default:
      return indented(flowLines(topic, block, columns, style));
  }
}

/** What may stand in a list or a quotation too, without the indentation of the page. */
function flowLines(topic: string, block: Block, columns: number, style: TerminalStyle): string[] {
  switch (block.type) {
    case "paragraph":
    case "text":
      return wrapped(inlineText(topic, (block as Tokens.Paragraph).tokens), columns);
    case "code":
      return (block as Tokens.Code).text.split("\n")
        .map((line) => line === "" ? "" : " ".repeat(CODE_INDENT - INDENT) + line);
    case "list": {
      const { ordered, start, items, loose } = block as Tokens.List;
      const marks = items.map((_, index) => ordered ? `${Number(start) + index}. ` : "- ");
      const width = Math.max(...marks.map(({ length }) => length));
      const lines = items.map(({ tokens }, index) => {
        const parts = tokens.filter(({ type }) => type !== "space").map((token) =>
          flowLines(topic, token, columns - width, style)
        );
        return (loose ? joined(parts) : parts.flat())
          .map((line, at) =>
            at === 0 ? marks[index]!.padEnd(width) + line : line && " ".repeat(width) + line
          );
      });
      return loose ? joined(lines) : lines.flat();
    }
    case "blockquote":
      return joined(
        (block as Tokens.Blockquote).tokens.map((token) => flowLines(topic, token, columns - 2, style)),
      )
        .map((line) => `| ${line}`);
    case "table":
      return blockLines(topic, block, { ...style, columns }).map((line) => line.slice(INDENT));
    default:
      return []; // comments, rules, definitions of links
  }
}

/** A cell that is nothing but code needs no marks around it. */
function cellText(topic: string, tokens: readonly Token[]): string {
  const [only, ...more] = tokens;
  return only?.type === "codespan" && more.length === 0 ? unbroken(only.text) : inlineText(topic, tokens);
}

/** Code keeps its marks, a link says where it leads. */
function inlineText(topic: string, inline: readonly Token[] = []): string {
  return inline.map((token) => {
    if (token.type === "br") return " ";
    if (token.type === "html") return "";
    if (token.type === "codespan") return unbroken(`\`${token.text}\``);
    if (token.type === "link") return linkText(topic, token as Tokens.Link);
    const { tokens, text } = token as Tokens.Text;
    return tokens === undefined ? text.replaceAll(/\s+/g, " ") : inlineText(topic, tokens);
  }).join("");
}

function linkText(topic: string, { href, tokens }: Tokens.Link): string {
  const text = inlineText(topic, tokens);
  const [, page, anchor = ""] = /^(?:([\w-]+)\.md)?(#.+)?$/.exec(href) ?? [];
  if (/^\w+:/.test(href)) return text === href ? href : `${text} <${href}>`;
  if (page === undefined && anchor === "" || page !== undefined && !isTopic(page)) return text;
  return `${text} (${unbroken(`sluice help ${page ?? topic}${anchor}`)})`;
}

/** No line ends within `text`, unless it is long. */
function unbroken(text: string): string {
  return text.length <= LONGEST_UNBROKEN ? text.replaceAll(" ", "\u00a0") : text;
}

/** One list of lines, with an empty line between parts. */
function joined(parts: readonly (readonly string[])[]): string[] {
  return parts.filter(({ length }) => length > 0).flatMap((lines, index) =>
    index === 0 ? lines : ["", ...lines]
  );
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => line === "" ? "" : " ".repeat(INDENT) + line);
}
