// Room `files`: the configuration files of a plan, one writer for each format. This file writes comments and lines that several formats
// have in common.
import type { Figure } from "../figure.ts";

/** A file of a plan. */
export interface PlannedFile {
  readonly name: string;
  readonly text: string;
  /** Where it belongs, or how it is used: a phrase after its name. */
  readonly use: string;
  /** The file has secrets: it is readable for its owner alone, and an existing one is kept. */
  readonly isSecret?: true;
}

const COLUMNS = 100;

/** `text` as comment lines, wrapped between words. */
export function comment(text: string, mark = "#"): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || mark.length + 2 + last.length + word.length > COLUMNS) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.map((line) => `${mark} ${line}`);
}

/** Each figure below its formula. @param between what stands between name and value */
export function figureLines(figures: readonly Figure[], between: string): string[] {
  return figures.flatMap(({ name, value, why }) => ["", ...comment(why), `${name}${between}${value}`]);
}

export function fileOf(...parts: readonly (readonly string[])[]): string {
  return `${parts.flat().join("\n")}\n`;
}
