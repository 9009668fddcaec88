// `sluice help`: the manual in a terminal.

import { type Page, parsePage, sectionOf } from "../../help/page.ts";
import { excerpt, search } from "../../help/search.ts";
import { isTopic, readTopic, type TopicName, TOPICS } from "../../help/topics.ts";
import { type CommandName, COMMANDS } from "../command_line/commands.ts";
import type { HelpArgs } from "../commands/command_arguments.ts";
import { groupSummary } from "../commands/command_groups.ts";
import { commandHelp, overview, table, textColumns, wordHelp, wrapped } from "../command_line/help_text.ts";
import { didYouMean, usage } from "../command_line/usage.ts";
import { pageText, type TerminalStyle } from "./page_text.ts";
import { page } from "./pager.ts";

/** Places of a section that a search shows. */
const PLACES_SHOWN = 3;
/** Sections that are named for a word that is no topic. */
const SECTIONS_SUGGESTED = 5;

/** @returns the exit code: 1 if a search finds nothing. @throws {SluiceError} USAGE_INVALID for an unknown topic or section */
export async function help({ subject, words, list }: HelpArgs): Promise<number> {
  const style = terminalStyle();
  if (words.length > 0) return await showFound(words, style);
  if (list) await page(topicList());
  else if (subject === null) console.log(overview());
  else await page(await textOf(subject, style));
  return 0;
}

/** @throws {SluiceError} USAGE_INVALID */
async function textOf(subject: string, style: TerminalStyle): Promise<string> {
  const [topic, slug] = subject.split("#") as [string, string | undefined];
  if (isTopic(topic)) return await topicText(topic, slug, style);
  if (isCommand(subject)) return commandHelp(subject);
  if (groupSummary(subject) !== null) return wordHelp(subject);
  const known = [...TOPICS.map(({ name }) => name), ...Object.keys(COMMANDS)];
  const found = search(await allPages(), subject.split(/\s+/)).slice(0, SECTIONS_SUGGESTED);
  throw usage([
    `no topic or command "${subject}"${didYouMean(topic, known)}`,
    ...(found.length === 0 ? [] : ["Sections that have it:"]),
    ...found.map((section) => `  sluice help ${section.topic}#${section.slug}`),
    ...wrapped(
      `Topics: ${TOPICS.map(({ name }) => name).join(", ")}`,
      textColumns(Deno.stderr) - "sluice: ".length,
    ),
    ...(found.length === 0 ? [] : [`All places: sluice help --search ${quoted(subject)}`]),
  ], "help");
}

/** @throws {SluiceError} USAGE_INVALID if the page has no such section */
async function topicText(topic: TopicName, slug: string | undefined, style: TerminalStyle): Promise<string> {
  const parsed = parsePage(await readTopic(topic));
  if (slug === undefined || slug === "") {
    const command = isCommand(topic)
      ? [`Flags of the command: sluice ${topic} --help`]
      : groupSummary(topic) !== null
      ? [`Commands: sluice ${topic} --help`]
      : [];
    return [pageText(topic, parsed.blocks, style), ...command].join("\n\n");
  }
  const section = sectionOf(parsed, slug);
  if (section !== null) return pageText(topic, section, style);
  const near = didYouMean(slug, parsed.headings.map((heading) => heading.slug));
  const main = parsed.headings.filter(({ depth }) => depth === 2);
  throw usage([
    `the topic ${topic} has no section "${slug}"${near}`,
    ...main.map((heading) => `  sluice help ${topic}#${heading.slug}`),
  ], "help");
}

function topicList(): string {
  return [
    "Topics of the manual:",
    "",
    ...table(TOPICS.map(({ name, summary }) => [name, summary] as const)),
    "",
    "Read one:   sluice help TOPIC",
    "Search all: sluice help --search WORD",
  ].join("\n");
}

async function showFound(words: readonly string[], style: TerminalStyle): Promise<number> {
  const found = search(await allPages(), words);
  if (found.length === 0) {
    console.error(`sluice: the manual has no place with ${words.map((word) => `"${word}"`).join(" and ")}`);
    console.error("sluice: Try fewer or shorter words, or see all topics: sluice help --list");
    return 1;
  }
  const sections = found.map(({ topic, heading, slug, texts }) => {
    const shown = texts.slice(0, PLACES_SHOWN).map((text) =>
      `    ${excerpt(text, words, style.columns - 4)}`
    );
    const more = texts.length - shown.length;
    return [
      ...wrapped(`${topic}: ${heading}`, style.columns).map(style.bold),
      ...shown,
      ...(more > 0 ? [`    and ${more} more`] : []),
      `  Read it: sluice help ${topic}#${slug}`,
    ].join("\n");
  });
  await page(sections.join("\n\n"));
  return 0;
}

async function allPages(): Promise<(readonly [TopicName, Page])[]> {
  return await Promise.all(TOPICS.map(async ({ name }) => [name, parsePage(await readTopic(name))] as const));
}

function terminalStyle(): TerminalStyle {
  const isTerminal = Deno.stdout.isTerminal();
  return {
    columns: textColumns(),
    bold: isTerminal && !Deno.noColor ? (text) => `\x1b[1m${text}\x1b[22m` : (text) => text,
  };
}

function isCommand(word: string): word is CommandName {
  return Object.hasOwn(COMMANDS, word);
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
