// Puts one table into a TOML file, as Codex has it, without a change to anything else in the file.
import { parse } from "@std/toml";
import { SluiceError } from "../base/errors.ts";

type Table = Readonly<Record<string, unknown>>;

/**
 * The text with the table `path`, in the place of the old one if there is one.
 * @param table texts, and objects of texts
 * @throws {SluiceError} CONFIG_TEXT_INVALID if the text cannot be parsed, or has the table in a form that cannot be replaced
 */
export function withTable(text: string, path: readonly string[], table: Table): string {
  const before = parsed(text);
  const kept = linesOutside(text.split(/\r?\n/), path);
  while (kept.at(-1)?.trim() === "") kept.pop();
  const lines = [...kept, ...(kept.length === 0 ? [] : [""]), ...writeTable(path, table), ""];
  const after = lines.join(text.includes("\r\n") ? "\r\n" : "\n");
  // The proof that nothing else has changed: both documents without the table are the same.
  const result = parsed(
    after,
    'the table is written in a form that cannot be replaced, such as "mcp_servers = { … }"',
  );
  if (JSON.stringify(without(result, path)) !== JSON.stringify(without(before, path))) {
    throw invalid(`${path.join(".")} cannot be replaced without a change to the rest`);
  }
  return after;
}

/** The table as lines of TOML. */
export function writeTable(path: readonly string[], table: Table): string[] {
  const values = Object.entries(table).map(([name, value]) => `${key(name)} = ${written(value)}`);
  return [`[${path.map(key).join(".")}]`, ...values];
}

/** The lines without those of tables at or below `path`. Comments and blank lines before the next header stay: they are about that. */
function linesOutside(lines: readonly string[], path: readonly string[]): string[] {
  const kept: string[] = [];
  let isOwn = false;
  /** Lines of the table that may turn out to be about the next one. */
  let undecided: string[] = [];
  let quotes: string | null = null;
  for (const line of lines) {
    const names = quotes === null ? headerNames(line) : null;
    if (names !== null) {
      const isNextOwn = path.every((name, at) => names[at] === name);
      if (isOwn && !isNextOwn) kept.push(...undecided);
      isOwn = isNextOwn;
      undecided = [];
    }
    const isRemark = quotes === null && /^\s*(#|$)/.test(line);
    if (!isOwn) kept.push(line);
    else if (isRemark) undecided.push(line);
    else undecided = [];
    quotes = afterLine(line, quotes);
  }
  return isOwn ? [...kept, ...undecided] : kept;
}

/** The quotes of the multi-line string that goes on after the line; null: none does. */
function afterLine(line: string, quotes: string | null): string | null {
  let open = quotes;
  for (const [mark] of line.matchAll(/"""|'''/g)) {
    if (open === null) open = mark;
    else if (open === mark) open = null;
  }
  return open;
}

/** The keys of a header line such as `[mcp_servers."a b"]`; null: it is none. */
function headerNames(line: string): string[] | null {
  const inside = /^\s*\[([^[\]].*?)\]\s*(?:#.*)?$/.exec(line)?.[1];
  if (inside === undefined) return null;
  return [...inside.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+)/g)].map((
    [, basic, literal, bare],
  ) => basic === undefined ? literal ?? bare! : JSON.parse(`"${basic}"`));
}

function written(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, each]) => `${key(name)} = ${written(each)}`);
  return `{ ${members.join(", ")} }`;
}

function key(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name);
}

function parsed(text: string, fault?: string): Table {
  try {
    return parse(text) as Table;
  } catch (error) {
    throw invalid(fault ?? (error as Error).message.replaceAll("\n", " "));
  }
}

/** The document without the member at `path`, and without objects that are empty then. */
function without(document: Table, [name, ...rest]: readonly string[]): Table {
  const { [name!]: own, ...others } = document;
  if (rest.length === 0 || typeof own !== "object" || own === null) return others;
  const inner = without(own as Table, rest);
  return Object.keys(inner).length === 0 ? others : { ...others, [name!]: inner };
}

function invalid(reason: string): SluiceError {
  return new SluiceError("CONFIG_TEXT_INVALID", { reason });
}
