// Reads lines of the log back, in both formats.

/** The fields of a line: `time`, `level` and `event`, then those of the event. */
export type LineFields = Readonly<Record<string, unknown>>;

/** @param line without its newline. @returns null if it is no line of the log */
export function readLine(line: string): LineFields | null {
  return line.startsWith("{") ? readJson(line) : readText(line);
}

function readJson(line: string): LineFields | null {
  try {
    const fields: unknown = JSON.parse(line);
    return typeof fields === "object" && fields !== null && !Array.isArray(fields)
      ? fields as LineFields
      : null;
  } catch {
    return null;
  }
}

/** `TIME LEVEL event with spaces name=plain other="JSON text"` */
function readText(line: string): LineFields | null {
  const head = /^(\S+) ([A-Z]+) (.*)$/.exec(line);
  if (head === null) return null;
  const [, time, level, rest = ""] = head;
  const start = rest.search(FIELD);
  const fields: Record<string, unknown> = { time, level, event: start < 0 ? rest : rest.slice(0, start) };
  for (let at = start; at >= 0 && at < rest.length;) {
    const equals = rest.indexOf("=", at);
    if (equals < 0) break;
    const end = endOfValue(rest, equals + 1);
    fields[rest.slice(at + 1, equals)] = valueOf(rest.slice(equals + 1, end));
    at = end;
  }
  return fields;
}

const FIELD = / [A-Za-z_][\w.-]*=/;

/** The place behind the value: of plain text the next space, of JSON the end of it. */
function endOfValue(text: string, start: number): number {
  const end = text.indexOf(" ", start);
  if (!/["{[]/.test(text.charAt(start))) return end < 0 ? text.length : end;
  let depth = 0;
  let isQuoted = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (isQuoted) {
      if (char === "\\") at++;
      else if (char === '"') isQuoted = false;
    } else if (char === '"') isQuoted = true;
    else if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") depth--;
    else if (char === " " && depth <= 0) return at;
  }
  return text.length;
}

/** Numbers, booleans and null are written as in JSON; a text that looks like one of them is read as one. */
function valueOf(text: string): unknown {
  if (!/^(["{[]|-?\d|true$|false$|null$)/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
