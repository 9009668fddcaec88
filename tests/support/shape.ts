// Compares an output with the one that a page shows. Numbers, ids, tokens and times may differ, and `…` stands for any text.

/** @returns the first line of `shown` that does not occur in `output` in this order; null: all do */
export function missingLine(shown: string, output: string): string | null {
  const lines = output.split("\n").map(stable);
  let from = 0;
  for (const line of shown.split("\n").filter((each) => each.trim() !== "" && each.trim() !== "…")) {
    const pattern = patternOf(line);
    const at = lines.findIndex((each, index) => index >= from && pattern.test(each));
    if (at === -1) return line;
    from = at + 1;
  }
  return null;
}

/** @returns the path of the first member of `shown` that `output` has not, or has otherwise; null: all are there */
export function missingMember(shown: unknown, output: unknown, path = "$"): string | null {
  if (shown === "…") return null;
  if (Array.isArray(shown)) {
    if (!Array.isArray(output)) return path;
    const lost = shown.findIndex((item) =>
      item !== "…" && !output.some((each) => missingMember(item, each) === null)
    );
    return lost === -1 ? null : `${path}[${lost}]`;
  }
  if (typeof shown === "object" && shown !== null) {
    if (typeof output !== "object" || output === null || Array.isArray(output)) return path;
    for (const [name, value] of Object.entries(shown)) {
      if (name === "…") continue;
      const lost = name in output
        ? missingMember(value, (output as Record<string, unknown>)[name], `${path}.${name}`)
        : `${path}.${name}`;
      if (lost !== null) return lost;
    }
    return null;
  }
  if (typeof shown === "string" && typeof output === "string") {
    return patternOf(shown).test(stable(output)) ? null : path;
  }
  return typeof shown === typeof output && (typeof shown === "number" || shown === output) ? null : path;
}

function patternOf(text: string): RegExp {
  return new RegExp(`^${stable(text).split("…").map(RegExp.escape).join(".*")}$`, "s");
}

/** `text` with every part replaced that differs from run to run. */
function stable(text: string): string {
  return text.replaceAll(/eyJ[\w-]*(\.[\w-]+)*/g, "TOKEN")
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b[0-9a-f]{32,}\b/g, "ID")
    .replaceAll(/\d+(\.\d+)*/g, "0")
    .replaceAll(/\s+/g, " ").trim();
}
