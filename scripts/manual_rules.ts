// The rules for README.md and the pages of the manual: what they name exists, links resolve, they fit a terminal and read well.

import { parse as parseYaml } from "@std/yaml";
import type { Token, Tokens } from "marked";
import { openApiDocument } from "../src/admin/openapi/document.ts";
import { ROUTES } from "../src/admin/routes.ts";
import { ERRORS } from "../src/base/errors.ts";
import { pageText } from "../src/cli/help/page_text.ts";
import { type Command, COMMANDS } from "../src/cli/command_line/commands.ts";
import { CLIENTS } from "../src/client_config/clients.ts";
import { SETTINGS } from "../src/config/schema.ts";
import { type Page, plainText } from "../src/help/page.ts";
import { isTopic } from "../src/help/topics.ts";
import { METRICS } from "../src/telemetry/metric_table.ts";
import type { MetricRow } from "../src/telemetry/metric_values.ts";

/** Variables and words of other programs. */
const FOREIGN_NAMES = ("SLUICE_TOKEN TOKEN HOME PATH TMPDIR DENO_CERT BASH_ENV NODE_OPTIONS POSTGRES_USER " +
  "POSTGRES_PASSWORD CLIENT_IDLE_TIMEOUT CAP_SETUID CAP_SETGID CAP_KILL HTTP_PROXY HTTPS_PROXY NO_PROXY")
  .split(" ");

/** The path of requests between replicas, which the API's description leaves out. */
const FORWARD_ROUTE = "POST /internal/forward";

/** Routes of ContextForge that a page names as missing here. */
const FOREIGN_ROUTES: ReadonlySet<string> = new Set(["POST /tokens"]);

/** Flags of other programs that a page may name. */
const FOREIGN_FLAGS =
  /^--(allow-\w+|without|network|name|rm|build-arg|header|transport|method|cli|volume|env-file|requirements|init)$/;

/** Code stands four columns in: what is longer would be broken by a terminal of 80 columns. */
export const CODE_COLUMNS = 76;
const COLUMNS = 80;
export const WORDS_PER_SENTENCE = 25;

/** Every token of a page, nested ones among them. */
export function tokensOf(page: Page): Token[] {
  const walk = (token: Token): Token[] => {
    const { tokens = [] } = token as { tokens?: Token[] };
    const { items = [] } = token as Partial<Tokens.List>;
    const { header = [], rows = [] } = token as Partial<Tokens.Table>;
    const cells = [...header, ...rows.flat()].flatMap((cell) => cell.tokens);
    return [token, ...[...tokens, ...items, ...cells].flatMap(walk)];
  };
  return page.blocks.flatMap(walk);
}

/** Texts that look like a setting or an error code, and are none; settings of shell commands and configuration files that are none. */
export function unknownNames(page: Page): string[] {
  const known = new Set([
    ...SETTINGS.flatMap(({ name, aliases = [] }) => [name, ...aliases]),
    ...Object.keys(ERRORS),
    ...FOREIGN_NAMES,
  ]);
  const isKnown = (name: string) =>
    known.has(name) || name.endsWith("_") && [...known].some((each) => each.startsWith(name));
  const named = codeSpans(page).flatMap((text) =>
    /^(?:([A-Z][A-Z0-9]*(?:_[A-Z0-9]*)+)(?:[=*…].*)?|([A-Z][A-Z0-9]+)=.*)$/.exec(text)?.slice(1) ?? []
  ).filter((name) => name !== undefined);
  const all = (texts: readonly string[], pattern: RegExp) =>
    texts.flatMap((text) => [...text.matchAll(pattern)].map(([name]) => name));
  const assigned = all(codeOf(page, "ini", "yaml"), /\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?=\s*[:=])/g);
  const exported = all(codeOf(page, "sh"), /(?<![\w$])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?==)/g);
  const prose = all(words(page), /\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g);
  return [...named, ...assigned, ...exported, ...prose].filter((name) => !isKnown(name));
}

/**
 * Rows of tables whose limit has numbers, and none of them is the default of the first setting beside it, or the sum of all.
 * @returns `SETTING: the shown limit`
 */
export function wrongLimits(page: Page): string[] {
  return tokensOf(page).filter((token): token is Tokens.Table => token.type === "table").flatMap((table) => {
    const [limit, setting] = ["limit", "setting"].map((name) =>
      table.header.findIndex(({ text }) => text === name)
    );
    if (limit === -1 || setting === -1) return [];
    return table.rows.flatMap((row) => {
      const names = [...row[setting!]!.text.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name!);
      const presets = names.map((name) =>
        Number(SETTINGS.find((each) => each.name === name)?.default ?? NaN)
      );
      const numbers = [...row[limit!]!.text.matchAll(/\b(\d[\d,]*)( MiB)?/g)];
      if (numbers.length === 0 || !Number.isFinite(presets[0])) return [];
      const right = [presets[0]!, presets.reduce((sum, preset) => sum + preset)];
      const isRight = numbers.some(([, digits, mebi]) => {
        const number = Number(digits!.replaceAll(",", ""));
        return right.includes(number) || mebi !== undefined && right.includes(number * 1024 * 1024);
      });
      return isRight ? [] : [`${names[0]}: ${row[limit!]!.text}`];
    });
  });
}

/** `sluice_…` anywhere that is no metric, nor the beginning of one. */
export function unknownMetrics(markdown: string): string[] {
  const names = Object.entries(METRICS).flatMap(([name, { kind }]) => seriesOf(name, kind));
  return [...markdown.matchAll(/\bsluice_[a-z_]+/g)].map(([name]) => name)
    .filter((name) => !names.some((known) => known === name || name.endsWith("_") && known.startsWith(name)));
}

/** The names of a metric's series. */
export function seriesOf(name: string, kind: MetricRow["kind"]): string[] {
  if (kind === "counter" || kind === "gauge") return [name];
  return [name, `${name}_sum`, `${name}_count`, ...kind === "histogram" ? [`${name}_bucket`] : []];
}

/** `METHOD /path` of every route, with `{}` for each parameter. */
const KNOWN_ROUTES: ReadonlySet<string> = new Set(
  Object.entries(openApiDocument(ROUTES).paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`)
  ).concat(FORWARD_ROUTE).map(shapeOf),
);

/** Texts in backticks such as `GET /path` that the gateway does not have. */
export function unknownRoutes(page: Page): string[] {
  return codeSpans(page).filter((text) => {
    const [, methods = "", path] =
      /^((?:(?:GET|HEAD|POST|PUT|PATCH|DELETE)(?:, )?)+) (\/[^?[\s]*)(?:\[?\?\S*)?$/.exec(text) ?? [];
    if (path === undefined || FOREIGN_ROUTES.has(text)) return false;
    return methods.split(", ").some((method) =>
      !KNOWN_ROUTES.has(shapeOf(`${method === "HEAD" ? "GET" : method} ${path}`))
    );
  });
}

/** Paths are there below /v1 as well, and with a slash at the end. */
function shapeOf(route: string): string {
  return route.replace(/ \/v1(?=\/)/, " ").replaceAll(/\{[^}]*\}|…/g, "{}").replace(/(?<=\w)\/$/, "");
}

/** `sluice` where a shell expects a command. */
const COMMAND = /(?:^|[|;&(])\s*(?:\w+=\S+\s+)*sluice ((?:[^|;&)>"`]|\$\{)*)/gm;

/** Commands `sluice …` that the program does not have, or whose flags it does not have; bare flags that no command has. */
export function unknownCommands(page: Page): string[] {
  const lines = codeOf(page, "sh").flatMap((text) => text.replaceAll("\\\n", " ").split("\n"));
  const invocations = [...codeSpans(page), ...lines].flatMap((text) =>
    [...text.matchAll(COMMAND)].map(([, words]) => words!.trim())
  );
  const flags = new Set(Object.values<Command>(COMMANDS).flatMap((command) => Object.keys(command.flags)));
  return [
    ...invocations.filter((words) => !isInvocation(words.split(/\s+/))).map((words) => `sluice ${words}`),
    ...codeSpans(page).flatMap((text) => /^(--[a-z][\w-]*)(?:[ =].*)?$/.exec(text)?.[1] ?? [])
      .filter((flag) =>
        !flags.has(flag.slice(2)) && !FOREIGN_FLAGS.test(flag) && !/^--(help|version)$/.test(flag)
      ),
  ];
}

function isInvocation(words: readonly string[]): boolean {
  const [first = "", second = ""] = words;
  if (/^(--help|-h|--version|COMMAND)$/.test(first)) return true;
  const name = Object.hasOwn(COMMANDS, `${first} ${second}`) ? `${first} ${second}` : first;
  if (!Object.hasOwn(COMMANDS, name)) return false;
  if (name === "connect" && !isPlaceholder(second) && !Object.hasOwn(CLIENTS, second)) return false;
  if (name === "help" && !isPlaceholder(second) && !isSubject(words.slice(1).join(" "))) return false;
  const { flags }: Command = COMMANDS[name as keyof typeof COMMANDS];
  return words.filter((word) => word.startsWith("--"))
    .every((word) => word === "--help" || Object.hasOwn(flags, word.slice(2).split("=")[0]!));
}

function isPlaceholder(word: string): boolean {
  return word === "" || word.startsWith("-") || /^\[?[A-Z]+(#[A-Z]+)?\]?$/.test(word);
}

/** Something that `sluice help` can show, whose section the links are not checked for. */
function isSubject(subject: string): boolean {
  return isTopic(subject.split("#")[0]!) || Object.hasOwn(COMMANDS, subject);
}

/**
 * Blocks that start a server on the port of an earlier block, below a paragraph that does not tell the reader to stop that one.
 * @returns their first line
 */
export function unstoppedServers(page: Page): string[] {
  const ports = new Set<string>();
  let port: string | null = null;
  let paragraph = "";
  return tokensOf(page).flatMap((token) => {
    if (token.type === "paragraph") paragraph = plainText((token as Tokens.Paragraph).tokens);
    if (token.type === "html") {
      const [, kind, number] = /^<!-- run: (server|stopped) (\d+) -->/.exec(token.raw) ?? [];
      if (kind === "stopped") ports.delete(number!);
      if (kind === "server") port = number!;
    }
    if (token.type !== "code" || port === null) return [];
    const isAgain = ports.has(port);
    ports.add(port);
    port = null;
    return isAgain && !/\bstop\b/i.test(paragraph) ? [(token as Tokens.Code).text.split("\n")[0]!] : [];
  });
}

/** Links within the repository whose file or heading is not there. @param slugsOf the headings of a file; null: no such file */
export function brokenLinks(
  path: string,
  page: Page,
  slugsOf: (path: string) => readonly string[] | null,
): string[] {
  return tokensOf(page).filter((token): token is Tokens.Link => token.type === "link").map(({ href }) => href)
    .filter((href) => {
      if (/^\w+:/.test(href)) return false;
      const [file, anchor] = href.split("#") as [string, string | undefined];
      const slugs = slugsOf(file === "" ? path : new URL(file, `file:///${path}`).pathname.slice(1));
      return slugs === null || anchor !== undefined && !slugs.includes(anchor);
    });
}

/** Lines that a terminal of 80 columns would break, as `sluice help` shows them; HTML, which it would not show. */
export function unfitLines(page: Page): string[] {
  const shown = pageText("topic", page.blocks, { columns: COLUMNS, bold: (text) => text });
  const html = tokensOf(page).filter(({ type, raw }) => type === "html" && !/^<!--.*-->\s*$/s.test(raw));
  return [...shown.split("\n").filter((line) => line.length > COLUMNS), ...html.map(({ raw }) => raw.trim())];
}

/** The average length of the sentences in paragraphs and lists, in words. */
export function wordsPerSentence(page: Page): number {
  const texts = tokensOf(page).filter(({ type }) => type === "paragraph" || type === "text")
    .map((token) => (token as Tokens.Text).tokens).filter((tokens) => tokens !== undefined).map(plainText);
  const sentences = texts.flatMap((text) => text.split(/(?<=[.!?])\s+/)).filter((text) => text.trim() !== "");
  const words = sentences.map((sentence) => sentence.trim().split(/\s+/).length);
  return words.length === 0 ? 0 : words.reduce((sum, count) => sum + count, 0) / words.length;
}

/** Blocks of JSON and YAML that are none. */
export function brokenData(page: Page): string[] {
  const fails = (read: (text: string) => unknown) => (text: string) => {
    try {
      read(text);
      return false;
    } catch {
      return true;
    }
  };
  return [
    ...codeOf(page, "json").filter(fails(JSON.parse)),
    ...codeOf(page, "yaml").filter(fails(parseYaml)),
  ];
}

/** The texts outside of code. */
function words(page: Page): string[] {
  return tokensOf(page).filter((token) => token.type === "text" && !("tokens" in token && token.tokens))
    .map((token) => (token as Tokens.Text).text);
}

function codeSpans(page: Page): string[] {
  return tokensOf(page).filter(({ type }) => type === "codespan").map((token) =>
    (token as Tokens.Codespan).text
  );
}

function codeOf(page: Page, ...langs: readonly string[]): string[] {
  return tokensOf(page).filter((token): token is Tokens.Code => token.type === "code")
    .filter(({ lang = "" }) => langs.includes(lang)).map(({ text }) => text);
}
