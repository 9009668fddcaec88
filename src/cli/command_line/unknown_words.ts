// Words of a command line that are no commands, flags or operands, and the words that were meant.
import { isTopic } from "../../help/topics.ts";
import { COMMAND_GROUPS } from "../commands/command_groups.ts";
import { type CommandName, COMMANDS, commandsAfter } from "./commands.ts";
import { didYouMean } from "./usage.ts";

/** The flags that stand in place of a command. */
const GLOBAL_FLAGS = ["help", "version"];

export function isCommand(word: string): word is CommandName {
  return Object.hasOwn(COMMANDS, word);
}

/** Are these two words nearly a command of two words? A word with a dot or a slash is a file. */
export function isMistypedPair(words: string): boolean {
  if (/[./]/.test(words)) return false;
  const pairs = Object.keys(COMMANDS).filter((name) => name.includes(" "));
  return !isCommand(words) && didYouMean(words, pairs) !== "";
}

export function unknownCommand(word: string): string {
  if (word.startsWith("-")) {
    return `unknown flag ${word}${didYouMean(word, GLOBAL_FLAGS.map((name) => `--${name}`))}`;
  }
  const instead = isTopic(word)
    ? `; the manual has that topic: sluice help ${word}`
    : didYouMean(word, [...Object.keys(COMMANDS), ...Object.values(COMMAND_GROUPS).flatMap(Object.keys)]);
  return `unknown command "${word}"${instead}`;
}

/** The mistake in the words of a command whose first word needs a second one. */
export function unknownSecond(word: string, second: string | undefined): string {
  const seconds = commandsAfter(word).map((command) => command.slice(word.length + 1));
  const known = seconds.length === 1 ? seconds[0] : `${seconds.slice(0, -1).join(", ")} or ${seconds.at(-1)}`;
  return second === undefined
    ? `"${word}" needs a second word: ${known}`
    : `unknown command "${word} ${second}"; after "${word}" comes ${known}`;
}

export function unknownFlag(command: CommandName, rawName: string): string {
  const known = [...Object.keys(COMMANDS[command].flags), "help"].map((name) => `--${name}`);
  return `unknown flag ${rawName}${didYouMean(rawName, known)}`;
}

export function unexpected(words: readonly string[]): string {
  return `unexpected ${words.map((word) => `"${word}"`).join(", ")}`;
}
