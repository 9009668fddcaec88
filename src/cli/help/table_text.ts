// A table as text: in columns if they fit, else one paragraph for each row.

import { wrapped } from "../command_line/help_text.ts";

/** Line breaks are the author's. */
export type Cell = string;

const GAP = 2;
/** A narrower column of sentences is hard to read. */
const NARROWEST_TEXT = 18;
/** A row of more lines is easier to read as a paragraph. */
const TALLEST_ROW = 5;

/** Lines of at most `columns`. A word longer than its line is not broken. */
export function tableLines(
  header: readonly Cell[],
  rows: readonly (readonly Cell[])[],
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

/** The width of each column; null: they do not fit side by side. Narrow columns get what they need, the others share the rest. */
function columnWidths(rows: readonly (readonly Cell[])[], columns: number): number[] | null {
  const count = rows[0]!.length;
  const cells = Array.from({ length: count }, (_, at) => rows.map((row) => row[at] ?? ""));
  const needed = cells.map((column) =>
    Math.max(1, ...column.flatMap((cell) => cell.split("\n").map(({ length }) => length)))
  );
  const least = cells.map((column, at) =>
    Math.max(
      Math.min(needed[at]!, NARROWEST_TEXT),
      ...column.flatMap((cell) => cell.split(/[ \n]/).map(({ length }) => length)),
    )
  );
  let room = columns - GAP * (count - 1);
  const widths: (number | null)[] = needed.map(() => null);
  for (let isSettled = false; !isSettled;) {
    isSettled = true;
    const share = Math.floor(room / widths.filter((width) => width === null).length);
    for (const [at, width] of widths.entries()) {
      if (width !== null) continue;
      const fixed = needed[at]! <= share ? needed[at]! : least[at]! > share ? least[at]! : null;
      if (fixed === null) continue;
      widths[at] = fixed;
      room -= fixed;
      isSettled = false;
      break;
    }
  }
  const open = widths.filter((width) => width === null).length;
  if (room < 0) return null;
  return widths.map((width) => width ?? Math.floor(room / open));
}

function rowLines(row: readonly Cell[], widths: readonly number[]): string[] {
  const cells = widths.map((width, at) =>
    (row[at] ?? "").split("\n").flatMap((line) => wrapped(line, width))
  );
  const height = Math.max(...cells.map(({ length }) => length));
  return Array.from(
    { length: height },
    (_, line) =>
      cells.map((lines, at) => (lines[line] ?? "").padEnd(widths[at]!)).join(" ".repeat(GAP)).trimEnd(),
  );
}

/** The first cell of a row, and below it the others with the names of their columns. */
function records(
  header: readonly Cell[],
  rows: readonly (readonly Cell[])[],
  columns: number,
  bold: (text: string) => string,
): string[] {
  return rows.flatMap(([first, ...others], index) => {
    const details = others.flatMap((cell, at) => {
      if (cell === "") return [];
      const name = others.length === 1 || header[at + 1] === "" ? "" : `${header[at + 1]}: `;
      return wrapped(name + cell.replaceAll("\n", " "), columns - GAP).map((line) => " ".repeat(GAP) + line);
    });
    return [
      ...(index === 0 ? [] : [""]),
      ...wrapped(first!.replaceAll("\n", " "), columns).map(bold),
      ...details,
    ];
  });
}
