// Room `commands`: how commands are described, and the commands that manage people with the readers of their arguments. This file is
// the description of one command.
import type { TopicName } from "../../help/topics.ts";

/** The note of commands that open the database. */
export const WHERE =
  "Run this command in the gateway's folder, or with the gateway's DATABASE_URL. The gateway may run meanwhile.";

export interface Flag {
  /** The name of its value in the help; absent: the flag takes no value. */
  readonly value?: string;
  /** The flag's value is a whole number from `min` to this one. */
  readonly max?: number;
  /** Absent: 0. */
  readonly min?: number;
  /** The flag may be given several times. */
  readonly isRepeated?: true;
  readonly doc: string;
}

export interface Command {
  readonly summary: string;
  /** The name of the one word that the command takes besides its flags. */
  readonly operand?: string;
  /** The operand may be left out. */
  readonly isOperandOptional?: true;
  /** The operand may be several words. */
  readonly isOperandRepeated?: true;
  /** The page of the manual that says more. */
  readonly topic?: TopicName;
  /** Sentences below the flags. */
  readonly notes?: readonly string[];
  readonly examples?: readonly string[];
  readonly flags: Readonly<Record<string, Flag>>;
}

/** The flags and operands that a command line gives, by their names. */
export interface GivenFlags {
  /** The value of a flag or an operand; null: not given. */
  readonly text: (name: string) => string | null;
  /** The values of a flag or an operand that can be repeated; empty: not given. */
  readonly texts: (name: string) => readonly string[];
  readonly has: (name: string) => boolean;
}
