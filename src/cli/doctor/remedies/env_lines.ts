// `sluice doctor --fix`: writes the lines of .env that findings name, and lists what an operator runs.
import { SluiceError } from "../../../base/errors.ts";
import { writeFault } from "../../../base/file_error.ts";
import type { Loaded } from "../../../config/load.ts";
import { type SettingName, SETTINGS } from "../../../config/schema.ts";
import type { Finding } from "../finding.ts";

/**
 * Findings whose line of .env is certain: it takes nobody's access and opens nothing. Secrets, who may connect, and what a load needs
 * are the operator's decisions.
 */
const WRITTEN: ReadonlySet<string> = new Set([
  "machine.cores",
  "machine.memory",
  "settings.contradiction",
  "settings.dev_mode",
  "settings.egress",
  "settings.tracing_pool",
  "pgbouncer.client_idle_timeout",
]);

const DOT_ENV = ".env";

export interface Change {
  readonly name: SettingName;
  /** The line in .env before; null: there is none. */
  readonly before: string | null;
  readonly after: string;
}

export interface Remedies {
  /** Lines of .env that are written. */
  readonly changes: readonly Change[];
  /** The text of .env with them. */
  readonly text: string;
  /** Lines for a shell, of the kernel and of files. */
  readonly commands: readonly string[];
  /** Sentences about lines that another place overrules. */
  readonly overruled: readonly string[];
  /** The ids of findings that the operator has to mend. */
  readonly left: readonly string[];
}

/** @param dotEnv the text of .env; null: there is none */
export function remediesFor(
  findings: readonly Finding[],
  { sources }: Pick<Loaded, "sources">,
  dotEnv: string | null,
): Remedies {
  const changes: Change[] = [];
  const overruled: string[] = [];
  const left = new Set<string>();
  const lines = (dotEnv ?? "").split("\n");
  for (const { id, fix } of findings) {
    const [, name, value] = WRITTEN.has(id) ? /^([A-Z_]+)=(\S.*)$/.exec(fix) ?? [] : [];
    const setting = SETTINGS.find((row) => row.name === name);
    if (setting === undefined) {
      if (!isCommand(fix)) left.add(id);
      continue;
    }
    if (changes.some((change) => change.name === name)) continue;
    const { from, name: given } = sources[name as SettingName];
    if (from === "environment" || from === "flag") {
      overruled.push(`${given} comes from the ${from}, which wins over .env: change it there to ${value}.`);
      continue;
    }
    const names = [setting.name, ...setting.aliases ?? []];
    const isIts = (line: string) =>
      names.some((each) => new RegExp(`^\\s*(export\\s+)?${each}\\s*=`, "i").test(line));
    const at = lines.findIndex(isIts);
    const after = `${name}=${value}`;
    changes.push({ name: name as SettingName, before: at === -1 ? null : lines[at]!, after });
    // Two names of one setting would contradict each other.
    const others = lines.filter((line, index) => index === at || !isIts(line));
    lines.splice(0, lines.length, ...others);
    if (at !== -1) lines[at] = after;
    else lines.splice(lines.at(-1) === "" ? lines.length - 1 : lines.length, 0, after);
  }
  return {
    changes,
    text: `${lines.join("\n").replace(/\n*$/, "")}\n`,
    commands: [...new Set(findings.map(({ fix }) => fix).filter(isCommand))],
    overruled,
    left: [...left],
  };
}

/** Is it a line for a shell that changes nothing but the kernel or the mode of a file? */
function isCommand(fix: string): boolean {
  return /^(sysctl -w|chmod 600) /.test(fix);
}

/**
 * Writes .env of this folder. The former file stays as a copy.
 * @returns the name of the copy; null: there was no file. @throws {SluiceError} CONFIG_FILE_UNUSABLE
 */
export function writeDotEnv(text: string, now: Date): string | null {
  const copy = `${DOT_ENV}.${now.toISOString().replace(/[:.]/g, "-")}`;
  try {
    const former = readDotEnv();
    if (former !== null) {
      Deno.copyFileSync(DOT_ENV, copy);
      // A file with secrets is the gateway's alone.
      Deno.chmodSync(copy, 0o600);
    }
    Deno.writeTextFileSync(DOT_ENV, text, former === null ? { mode: 0o600 } : {});
    return former === null ? null : copy;
  } catch (error) {
    throw new SluiceError("CONFIG_FILE_UNUSABLE", { file: DOT_ENV, reason: writeFault(error) });
  }
}

export function readDotEnv(): string | null {
  try {
    return Deno.readTextFileSync(DOT_ENV);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** What was written, as a difference without the lines around, which may be secrets. */
export function remediesText({ changes, commands, overruled, left }: Remedies, copy: string | null): string {
  const written = changes.flatMap((
    { before, after },
  ) => [...(before === null ? [] : [`-${before}`]), `+${after}`]);
  return [
    ...(changes.length === 0 ? ["Nothing was written to .env."] : [
      `Written to .env${copy === null ? "" : `; the former file is ${copy}`}:`,
      ...written,
      "A running gateway reads it at SIGHUP, or after a restart. Its log says which.",
    ]),
    ...overruled,
    ...(commands.length === 0
      ? []
      : ["To run as root, or as the owner of the file:", ...commands.map((line) => `  ${line}`)]),
    ...(left.length === 0 ? [] : [`Left to you, each with its line in the report: ${left.join(", ")}.`]),
  ].join("\n");
}

/** Why nothing was written while settings cannot be read, and which they are. */
export function mistakesText(mistakes: readonly Finding[]): string {
  return [
    "Nothing was written to .env: the meant value of a mistaken setting is not certain. Correct these, and run it again:",
    ...mistakes.map(({ found }) => `  ${found}`),
  ].join("\n");
}
