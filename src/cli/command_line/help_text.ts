// The help texts, laid out for a terminal.

import { TOPICS } from "../../help/topics.ts";
import { type Command, type CommandName, COMMANDS } from "./commands.ts";

const TERMINAL_COLUMNS = 80;

/** The help of the program: the first step, its commands, the topics of the manual. */
export function overview(): string {
  const commands = (Object.keys(COMMANDS) as CommandName[])
    .map((name) => [name, COMMANDS[name].summary] as const);
  return [
    "Sluice, an MCP gateway: one authenticated address in front of many MCP servers.",
    "",
    "Usage: sluice COMMAND [FLAGS]",
    "",
    ...table(commands),
    "",
    ...table([
      ["COMMAND --help", "show the flags of a command"],
      ["help TOPIC", `read a topic of the manual: ${TOPICS.map(({ name }) => name).join(", ")}`],
      ["help --search WORD", "find a word in all topics"],
    ]),
    "",
    ...wrapped(
      "First steps: `sluice serve --demo` runs a gateway with a demo tool. In a terminal it shows how to get a token and call the " +
        "tool. Settings come from the environment and .env; `sluice config` shows them all.",
      TERMINAL_COLUMNS,
    ),
  ].join("\n");
}

/** The help of one command: its flags, notes, examples, and where to read more. */
export function commandHelp(command: CommandName): string {
  const { summary, operand, isOperandOptional, topic, notes = [], examples = [], flags: its }: Command =
    COMMANDS[command];
  const shown = operand === undefined ? "" : isOperandOptional ? ` [${operand}]` : ` ${operand}`;
  const flags = Object.entries(its)
    .map(([name, flag]) => [flag.value ? `--${name} ${flag.value}` : `--${name}`, flag.doc] as const);
  return [
    `Usage: sluice ${command}${shown}${flags.length > 0 ? " [FLAGS]" : ""}`,
    "",
    summary,
    ...(flags.length > 0 ? ["", ...table(flags)] : []),
    ...notes.flatMap((note) => ["", ...wrapped(note, TERMINAL_COLUMNS)]),
    ...(examples.length > 0 ? ["", "Examples:", ...examples.map((line) => `  ${line}`)] : []),
    ...(topic === undefined ? [] : ["", `The manual has more: sluice help ${topic}`]),
  ].join("\n");
}

/** Two columns that fit the terminal. */
export function table(rows: ReadonlyArray<readonly [left: string, right: string]>): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.flatMap(([left, right]) =>
    wrapped(right, TERMINAL_COLUMNS - width - 4)
      .map((line, index) => `  ${(index === 0 ? left : "").padEnd(width)}  ${line}`)
  );
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
