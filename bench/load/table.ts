// A table in Markdown, of whatever a load run has measured.

export type Columns<Row> = readonly (readonly [title: string, cell: (row: Row) => string])[];

/** Aligned for a terminal: the first column to the left, figures to the right. */
export function markdownTable<Row>(columns: Columns<Row>, rows: readonly Row[]): string {
  const cells = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, cell]) => cell(row)))];
  const widths = columns.map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  const format = (line: readonly string[]) =>
    `| ${
      line.map((cell, column) => column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))
        .join(" | ")
    } |`;
  const rule = `|${
    widths.map((width, column) => "-".repeat(width + 1) + (column === 0 ? "-" : ":")).join("|")
  }|`;
  const [head, ...lines] = cells.map(format);
  return [head, rule, ...lines].join("\n");
}
