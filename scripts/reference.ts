// Writes what is generated from the code: .env.example, and the README's tables between their markers.
// `--check` writes nothing and exits 1 where something is out of date.

import { envExample, errorTable, settingsTable } from "../src/config/reference.ts";

const ROOT = new URL("../", import.meta.url);

interface Outdated {
  readonly file: string;
  readonly text: string;
}

/** `text` with the part between `<!-- {name}:begin -->` and `<!-- {name}:end -->` replaced; null: no such markers. */
export function replacePart(text: string, name: string, part: string): string | null {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from === -1 || to < from) return null;
  return `${text.slice(0, from + begin.length)}\n\n${part}\n\n${text.slice(to)}`;
}

async function main(isCheck: boolean): Promise<number> {
  const faults: string[] = [];
  const outdated = [await envFile(), await readme(faults)].filter((entry) => entry !== null);
  for (const { file, text } of outdated) {
    if (isCheck) faults.push(`${file} is out of date; run: deno task reference`);
    else {
      await Deno.writeTextFile(new URL(file, ROOT), text);
      console.log(`wrote ${file}`);
    }
  }
  for (const fault of faults) console.error(fault);
  return faults.length > 0 ? 1 : 0;
}

async function envFile(): Promise<Outdated | null> {
  const text = envExample();
  return text === await readIfThere(".env.example") ? null : { file: ".env.example", text };
}

async function readme(faults: string[]): Promise<Outdated | null> {
  const before = await readIfThere("README.md");
  if (before === null) {
    faults.push("README.md is missing");
    return null;
  }
  let text = before;
  for (const [name, part] of [["settings", settingsTable()], ["errors", errorTable()]]) {
    const replaced = replacePart(text, name, part);
    if (replaced === null) {
      faults.push(`README.md lacks the lines <!-- ${name}:begin --> and <!-- ${name}:end -->`);
    } else text = replaced;
  }
  return text === before ? null : { file: "README.md", text };
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(new URL(file, ROOT));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args.includes("--check")));
