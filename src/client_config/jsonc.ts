// Room `client_config`: the configuration files of MCP clients. Reading: the servers that a file names, and the variables in them.
// Writing: one entry into a file, without a change to anything else in it. This room knows text and values, and no files.
// This file handles JSON with comments and trailing commas, as editors write it.
import {
  findNodeAtLocation,
  type Node,
  parse,
  type ParseError,
  parseTree,
  printParseErrorCode,
  stripComments,
} from "jsonc-parser";
import { SluiceError } from "../base/errors.ts";
import { exceedsDepth } from "../mcp/json_rpc.ts";

/** The nesting of a configuration file. Real files have five levels. */
const MAX_DEPTH = 50;

const WORDS: Readonly<Record<string, string>> = {
  InvalidSymbol: "a value that JSON does not have",
  InvalidNumberFormat: "a malformed number",
  PropertyNameExpected: 'a name in double quotes is missing, as in "name": value',
  ValueExpected: "a value is missing",
  ColonExpected: 'a ":" is missing',
  CommaExpected: 'a "," is missing',
  CloseBraceExpected: 'a "}" is missing',
  CloseBracketExpected: 'a "]" is missing',
  EndOfFileExpected: "text after the end of the document",
  InvalidCommentToken: "a malformed comment",
  UnexpectedEndOfComment: "a comment that does not end",
  UnexpectedEndOfString: "a string that does not end",
  UnexpectedEndOfNumber: "a number that does not end",
  InvalidUnicode: "a malformed \\u escape",
  InvalidEscapeCharacter: "a malformed escape in a string",
  InvalidCharacter: "a control character in a string",
};

/**
 * Parses JSON that may have comments and trailing commas. A byte order mark is skipped.
 * @throws {SluiceError} CONFIG_TEXT_INVALID with the line and the column of the first mistake
 */
export function parseJsonc(text: string): unknown {
  const source = withoutMark(text);
  if (source.trim() === "") throw invalid("the file is empty");
  if (exceedsDepth(stripComments(source), MAX_DEPTH)) {
    throw invalid(`it is nested deeper than ${MAX_DEPTH} levels`);
  }
  const errors: ParseError[] = [];
  const value: unknown = parse(source, errors, { allowTrailingComma: true });
  if (errors.length > 0) throw invalid(describe(source, errors[0]!));
  return value;
}

/**
 * The text with `value` at `path`. Comments, order and indentation of everything else stay.
 * @throws {SluiceError} CONFIG_TEXT_INVALID if the text cannot be parsed, or has something else than an object on the way
 */
export function withValue(text: string, path: readonly string[], value: unknown): string {
  parseJsonc(text);
  const mark = text.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : "";
  const source = withoutMark(text);
  const root = parseTree(source, [], { allowTrailingComma: true })!;
  const old = findNodeAtLocation(root, [...path]);
  if (old !== undefined) return mark + replaced(source, old, value);
  // The deepest object of the path that exists; the rest of the path is made in it.
  let depth = path.length - 1;
  while (findNodeAtLocation(root, path.slice(0, depth)) === undefined) depth--;
  const parent = findNodeAtLocation(root, path.slice(0, depth))!;
  if (parent.type !== "object") {
    throw invalid(`${depth === 0 ? "it" : `"${path.slice(0, depth).join(".")}"`} is not an object`);
  }
  const whole = path.slice(depth + 1).reduceRight((inner, name) => ({ [name]: inner }), value);
  return mark + added(source, parent, path[depth]!, whole);
}

/** The text with another value in the place of `node`. */
function replaced(source: string, node: Node, value: unknown): string {
  const { unit, eol } = styleOf(source);
  const written = writeValue(value, { unit, eol, indent: indentAt(source, node.offset) });
  return source.slice(0, node.offset) + written + source.slice(node.offset + node.length);
}

/** The text with one more member at the end of an object, on a line of its own. */
function added(source: string, parent: Node, name: string, value: unknown): string {
  const { unit, eol } = styleOf(source);
  const members = parent.children ?? [];
  const close = parent.offset + parent.length - 1;
  const outer = indentAt(source, close);
  const last = members.at(-1);
  const indent = last === undefined ? outer + unit : memberIndent(source, last, outer + unit);
  const member = `${indent}${JSON.stringify(name)}: ${writeValue(value, { unit, eol, indent })}`;
  const lineStart = source.lastIndexOf("\n", close - 1) + 1;
  const hasOwnLine = lineStart > parent.offset && source.slice(lineStart, close).trim() === "";
  const tail = hasOwnLine
    ? source.slice(0, lineStart) + member + eol + source.slice(lineStart)
    : `${source.slice(0, close).trimEnd()}${eol}${member}${eol}${outer}${source.slice(close)}`;
  if (last === undefined) return tail;
  const end = last.offset + last.length;
  return hasComma(source.slice(end, close)) ? tail : `${tail.slice(0, end)},${tail.slice(end)}`;
}

/** Does the text between a member and the end of its object have a comma, comments aside? */
function hasComma(between: string): boolean {
  return stripComments(between).includes(",");
}

interface Style {
  /** One step of indentation. */
  readonly unit: string;
  readonly eol: string;
}

function styleOf(source: string): Style {
  return {
    unit: /^([ \t]+)\S/m.exec(stripComments(source, " "))?.[1] ?? "  ",
    eol: source.includes("\r\n") ? "\r\n" : "\n",
  };
}

function writeValue(value: unknown, { unit, eol, indent }: Style & { readonly indent: string }): string {
  return JSON.stringify(value, null, unit).replaceAll("\n", eol + indent);
}

/** The indentation of the line that holds `offset`. */
function indentAt(source: string, offset: number): string {
  const start = source.lastIndexOf("\n", offset - 1) + 1;
  return /^[ \t]*/.exec(source.slice(start, offset))![0];
}

/** The indentation of a member that begins its line; else `usual`. */
function memberIndent(source: string, { offset }: Node, usual: string): string {
  const start = source.lastIndexOf("\n", offset - 1) + 1;
  return source.slice(start, offset).trim() === "" ? source.slice(start, offset) : usual;
}

const BYTE_ORDER_MARK = "\uFEFF";

function withoutMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

function describe(text: string, { error, offset }: ParseError): string {
  const before = text.slice(0, offset).split(/\r\n|\r|\n/);
  const code = printParseErrorCode(error);
  return `line ${before.length}, column ${before.at(-1)!.length + 1}: ${WORDS[code] ?? code}`;
}

function invalid(reason: string): SluiceError {
  return new SluiceError("CONFIG_TEXT_INVALID", { reason });
}
