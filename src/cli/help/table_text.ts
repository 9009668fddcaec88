// A table as text: in columns if they fit, else one paragraph for each row.

import { wrapped } from "../command_line/help_text.ts";

const GAP = 2;
/** A narrower column of sentences is hard to read. */
const NARROWEST_TEXT = 12;
/** A row of more lines is easier to read as a paragraph. */
const TALLEST_ROW = 5;

/** Lines of at most `columns`. A word that is longer than its line is broken. */
export function tableLines(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number,
  bold: (text: string) => string,
): string[] {
  const widths = columnWidths([header, ...rows], columns);
  const laid = widths && rows.map((row) => rowLines(row, widths));
  if (laid === null || laid.some((lines) => lines.length > TALLEST_ROW)) {
    return records(header, rows, columns, bold);
  }
  const isOpen = laid.some((lines) => lines.length > 1);
  return [
    ...(header.every((cell) => cell === "") ? [] : rowLines(header, widths!).map(bold)),
    widths!.map((width) => "-".repeat(width)).join(" ".repeat(GAP)),
    ...laid.flatMap((lines, index) => isOpen && index > 0 ? ["", ...lines] : lines),
  ];
}

/**
 * The width of each column, as browsers lay tables out: each has room for its longest word, and the rest of the room goes to the
 * columns in proportion to what they lack. Null: they do not fit side by side.
 */
function columnWidths(rows: readonly (readonly string[])[], columns: number): number[] | null {
  const cells = rows[0]!.map((_, at) => rows.map((row) => row[at] ?? ""));
  const longest = (texts: readonly string[]) => Math.max(1, ...texts.map(({ length }) => length));
  const wanted = cells.map(longest);
  const least = cells.map((column, at) =>
    Math.max(Math.min(wanted[at]!, NARROWEST_TEXT), longest(column.flatMap((cell) => cell.split(" "))))
  );
  const room = columns - GAP * (cells.length - 1) - sum(least);
  if (room < 0) return null;
  const lacking = sum(wanted) - sum(least);
  const share = lacking === 0 ? 0 : Math.min(1, room / lacking);
  return least.map((width, at) => width + Math.floor(share * (wanted[at]! - width)));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function rowLines(row: readonly string[], widths: readonly number[]): string[] {
  const cells = widths.map((width, at) => wrapped(row[at] ?? "", width));
  const height = Math.max(...cells.map(({ length }) => length));
  return Array.from(
    { length: height },
    (_, line) =>
      cells.map((lines, at) => (lines[line] ?? "").padEnd(widths[at]!)).join(" ".repeat(GAP)).trimEnd(),
  );
}

/** The first cell of a row, and below it the others with the names of their columns. */
function records(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number,
  bold: (text: string) => string,
): string[] {
  return rows.flatMap(([first, ...others], index) => {
    const details = others.flatMap((cell, at) => {
      if (cell === "") return [];
      const name = others.length === 1 || header[at + 1] === "" ? "" : `${header[at + 1]}: `;
      return wrapped(name + cell, columns - GAP).map((line) => " ".repeat(GAP) + line);
    });
    return [
      ...(index === 0 ? [] : [""]),
      ...wrapped(first!, columns).map(bold),
      ...details,
    ];
  });
}
