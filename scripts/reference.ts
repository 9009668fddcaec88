// Writes what is generated from the code: .env.example, parts of the manual's pages between their markers, and the lists of modules that
// threads import first. What stands around the parts of pages is written by hand. `--check` writes nothing and exits 1 where something is
// out of date.

import { apiPart } from "./reference/api.ts";
import { errorsPart } from "./reference/errors.ts";
import { metricsPart } from "./reference/metrics.ts";
import { permissionsPart } from "./reference/permissions.ts";
import { envExample, settingsPart } from "./reference/settings.ts";
import { MODULE_FILES, threadModules } from "./reference/thread_modules.ts";

const ROOT = new URL("../", import.meta.url);

/** The generated parts: page of src/help -> its text. The markers have the name of the page. */
const PARTS: Readonly<Record<string, () => string>> = {
  api: apiPart,
  settings: settingsPart,
  errors: errorsPart,
  metrics: metricsPart,
  security: permissionsPart,
};

interface Generated {
  readonly file: string;
  readonly before: string | null;
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
  const generated = await Promise.all([
    whole(".env.example", envExample()),
    ...Object.entries(PARTS).map(([name, part]) => page(name, part(), faults)),
    ...Object.entries(MODULE_FILES).map(async ([entry, file]) =>
      whole(file, await threadModules(ROOT, entry))
    ),
  ]);
  for (const { file, before, text } of generated) {
    if (text === before) continue;
    if (isCheck) faults.push(`${file} is out of date; run: deno task reference`);
    else {
      await Deno.writeTextFile(new URL(file, ROOT), text);
      console.log(`wrote ${file}`);
    }
  }
  for (const fault of faults) console.error(fault);
  return faults.length > 0 ? 1 : 0;
}

async function whole(file: string, text: string): Promise<Generated> {
  return { file, before: await readIfThere(file), text };
}

async function page(name: string, part: string, faults: string[]): Promise<Generated> {
  const file = `src/help/${name}.md`;
  const before = await readIfThere(file);
  const text = before && replacePart(before, name, part);
  if (text === null) faults.push(`${file} lacks the lines <!-- ${name}:begin --> and <!-- ${name}:end -->`);
  return { file, before, text: text ?? before ?? "" };
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
