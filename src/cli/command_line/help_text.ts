// The help texts, laid out for a terminal.

import { TOPICS } from "../../help/topics.ts";
import { COMMAND_GROUPS, groupSummary } from "../commands/command_groups.ts";
import { type Command, type CommandName, COMMANDS, commandsAfter } from "./commands.ts";

/** Longer lines are hard to read, and shorter ones leave no room for two columns. */
const [MOST_COLUMNS, FEWEST_COLUMNS] = [80, 40];

/** A narrower second column is longer than its terminal. */
const NARROWEST_COLUMN = 16;

/** The width of a text for people: that of the terminal that `output` is. Files and pipes get 80 columns everywhere. */
export function textColumns(
  output: { isTerminal(): boolean } = Deno.stdout,
  consoleColumns: () => number = () => Deno.consoleSize().columns,
): number {
  // A terminal that does not know its size says 0.
  const columns = output.isTerminal() && consoleColumns() || MOST_COLUMNS;
  return Math.max(FEWEST_COLUMNS, Math.min(MOST_COLUMNS, columns));
}

/** The help of the program: the first step, its commands, the topics of the manual. */
export function overview(): string {
  const rows = Object.values(COMMAND_GROUPS).flatMap((words) =>
    Object.keys(words).map((word) => [word, summaryOf(word)] as const)
  );
  const width = widthOf(rows);
  return [
    ...wrapped(
      "Sluice, an MCP gateway: one authenticated address in front of many MCP servers.",
      textColumns(),
    ),
    "",
    "Usage: sluice COMMAND [FLAGS]",
    "",
    ...wrapped(
      "First steps: `sluice serve --demo` runs a gateway with a demo tool. In a terminal it shows how to get a token and call the " +
        "tool. Settings come from the environment and .env; `sluice config` shows them all.",
      textColumns(),
    ),
    ...Object.entries(COMMAND_GROUPS).flatMap(([title, words]) => [
      "",
      title,
      ...table(rows.filter(([word]) => Object.hasOwn(words, word)), width),
    ]),
    "",
    ...table([
      ["COMMAND --help", "show the flags of a command"],
      ["help TOPIC", `read a topic of the manual: ${TOPICS.map(({ name }) => name).join(", ")}`],
      ["help --search WORD", "find a word in all topics"],
    ]),
  ].join("\n");
}

/** What the commands with this first word are for, and their second words. */
function summaryOf(word: string): string {
  const more = commandsAfter(word).map((command) => command.slice(word.length + 1)).join(", ");
  const summary = groupSummary(word);
  if (summary !== null) return `${summary.slice(0, -1)}: ${more}.`;
  return COMMANDS[word as CommandName].summary + (more === "" ? "" : ` Also: ${more}.`);
}

/** The help of a first word that needs a second one. */
export function wordHelp(word: string): string {
  const commands = commandsAfter(word);
  const { topic }: Command = COMMANDS[commands[0]!];
  return [
    `Usage: sluice ${word} ${
      commands.length === 1 ? commands[0]!.slice(word.length + 1) : "COMMAND"
    } [FLAGS]`,
    "",
    ...wrapped(groupSummary(word)!, textColumns()),
    "",
    ...commandTable(commands),
    "",
    `The flags of one: sluice ${commands[0]} --help`,
    `The manual has more: sluice help ${topic}`,
  ].join("\n");
}

function commandTable(commands: readonly CommandName[]): string[] {
  return table(commands.map((command) => [command, COMMANDS[command].summary] as const));
}

/** The help of one command: its flags, notes, examples, and where to read more. */
export function commandHelp(command: CommandName): string {
  const {
    summary,
    operand,
    isOperandOptional,
    isOperandRepeated,
    topic,
    notes = [],
    examples = [],
    flags: its,
  }: Command = COMMANDS[command];
  const more = commandsAfter(command);
  const words = isOperandRepeated ? `${operand}...` : operand;
  const shown = operand === undefined ? "" : isOperandOptional ? ` [${words}]` : ` ${words}`;
  const flags = Object.entries(its)
    .map(([name, flag]) => [flag.value ? `--${name} ${flag.value}` : `--${name}`, flag.doc] as const);
  return [
    `Usage: sluice ${command}${shown}${flags.length > 0 ? " [FLAGS]" : ""}`,
    "",
    ...wrapped(summary, textColumns()),
    ...(flags.length > 0 ? ["", ...table(flags)] : []),
    ...notes.flatMap((note) => ["", ...wrapped(note, textColumns())]),
    ...(examples.length > 0 ? ["", "Examples:", ...examples.map((line) => `  ${line}`)] : []),
    ...(more.length > 0 ? ["", "Further commands:", ...commandTable(more)] : []),
    ...(topic === undefined ? [] : ["", `The manual has more: sluice help ${topic}`]),
  ].join("\n");
}

/** Prints `text` on standard output; a terminal breaks no word. */
export function tell(text: string): void {
  console.log(Deno.stdout.isTerminal() ? wrapped(text, textColumns()).join("\n") : text);
}

type Rows = ReadonlyArray<readonly [left: string, right: string]>;

/** Two columns that fit the terminal. @param width of the left one */
export function table(rows: Rows, width = widthOf(rows)): string[] {
  const columns = Math.max(NARROWEST_COLUMN, textColumns() - width - 4);
  return rows.flatMap(([left, right]) =>
    wrapped(right, columns)
      .map((line, index) => `  ${(index === 0 ? left : "").padEnd(width)}  ${line}`)
  );
}

function widthOf(rows: Rows): number {
  return Math.max(...rows.map(([left]) => left.length));
}

/**
 * `text` in lines of at most `columns`, broken between words; a no-break space holds two words together. A word that is longer than
 * a line is broken.
 */
export function wrapped(text: string, columns: number): string[] {
  const lines = [""];
  const parts = new RegExp(`.{1,${columns}}`, "gu");
  for (
    const word of text.split(" ").flatMap((whole) => whole.length > columns ? whole.match(parts)! : [whole])
  ) {
    const line = lines.at(-1)!;
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= columns) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => line.replaceAll("\u00a0", " "));
}
