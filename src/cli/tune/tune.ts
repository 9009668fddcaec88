// Room `tune`: a configuration for a number of users. This file is `sluice tune`: it prints or writes the plan's files.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { SluiceError } from "../../base/errors.ts";
import { readFault, writeFault } from "../../base/file_error.ts";
import { loadProcessConfig } from "../../config/load.ts";
import type { Load } from "../../tuning/demand.ts";
import {
  type FormerSecrets,
  formerSecrets,
  keptForPlan,
  type PlannedSecrets,
} from "../../tuning/files/env_file.ts";
import { plannedFiles } from "../../tuning/files/planned_files.ts";
import type { PlannedFile } from "../../tuning/files/planned_lines.ts";
import { type Plan, planOf } from "../../tuning/tuning_plan.ts";
import type { TuneArgs } from "../commands/fitness_commands.ts";
import { ramMbOf, readMachine } from "../doctor/machine_facts.ts";
import type { Probed } from "./machine_probe.ts";
import { compare, comparisonText, serves } from "./comparison.ts";

/** @returns the exit code: 1 if something here does not serve the users, or could not be compared. @throws {SluiceError} for a folder that cannot be written */
export async function tune({ load, surroundings, out, check, probe, json }: TuneArgs): Promise<number> {
  const machine = readMachine();
  const probed = probe ? await (await import("./machine_probe.ts")).probeMachine() : null;
  if (probed !== null) console.error(probedText(probed));
  const full: Load = {
    ...load,
    vcpu: load.vcpu ?? machine.cores,
    ramMb: load.ramMb ?? ramMbOf(machine),
    callMicros: probed?.callMicros ?? null,
  };
  const fileMax = Number(machine.sysctl["fs.file-max"] ?? NaN);
  const plan = planOf(full, { ...surroundings, fileMax: Number.isNaN(fileMax) ? null : fileMax });
  if (check) {
    const comparison = await compare(plan, loadProcessConfig({ dev: false, overrides: {} }), machine);
    console.log(json ? JSON.stringify(comparison, null, 2) : comparisonText(plan, comparison));
    return serves(comparison) ? 0 : 1;
  }
  if (json && out === null) console.log(JSON.stringify(plan, null, 2));
  else if (out === null) printFiles(plan);
  else writeFiles(plan, out, json);
  return plan.shortfalls.length > 0 ? 1 : 0;
}

function probedText({ callMicros, calls, processorShare, memoryMb }: Probed): string {
  return `sluice: Measured: ${calls} calls of ${callMicros} µs, at ${
    Math.round(processorShare * 100)
  } % of one processor. The gateway took ${memoryMb} MiB.`;
}

function printFiles(plan: Plan): void {
  const files = plannedFiles(plan, null);
  console.log(files.map(({ name, use, text }) => `# ==== ${name}: ${use}\n\n${text}`).join("\n"));
  for (const shortfall of plan.shortfalls) console.error(`sluice: ${shortfall}`);
}

function writeFiles(plan: Plan, folder: string, json: boolean): void {
  named(folder, () => Deno.mkdirSync(folder, { recursive: true }));
  const former = {
    "secrets.env": textIn(folder, "secrets.env"),
    "userlist.txt": textIn(folder, "userlist.txt"),
  };
  // The files with secrets fit each other: a password that one of them has and another has not opens nothing.
  const secrets = { ...randomSecrets(), ...formerSecrets(former) };
  const files = plannedFiles(plan, secrets).map((file) => {
    if (file.name === ".env") return { ...file, mark: copyOf(folder, file) };
    const kept = file.isSecret ? former[file.name as keyof FormerSecrets] : null;
    if (kept === null) return { ...file, mark: "" };
    const text = keptForPlan(plan, kept, secrets);
    return { ...file, text, mark: text === kept ? KEPT : READDRESSED };
  });
  for (const file of files) {
    if (file.mark !== KEPT) named(join(folder, file.name), () => write(folder, file));
  }
  if (json) {
    console.log(
      JSON.stringify({
        folder,
        files: files.map(({ name, use, mark }) => ({
          name,
          use,
          kept: mark === KEPT || mark === READDRESSED,
        })),
      }),
    );
  } else {
    const width = Math.max(...files.map(({ name }) => name.length));
    console.log(`Wrote the files into ${folder}. Read the comments, and put each file into its place:\n`);
    for (const { name, use, mark } of files) console.log(`${name.padEnd(width)}  ${use}${mark}`);
  }
  for (const shortfall of plan.shortfalls) console.error(`sluice: ${shortfall}`);
}

/** What the list says of a file that was there before. */
const [KEPT, READDRESSED] = [" (kept as it was)", " (its secrets kept, with this plan's DATABASE_URL)"];

/** null: there is no such file. @throws {SluiceError} CONFIG_FILE_UNUSABLE */
function textIn(folder: string, name: string): string | null {
  const path = join(folder, name);
  try {
    return existsSync(path) ? Deno.readTextFileSync(path) : null;
  } catch (error) {
    throw new SluiceError("CONFIG_FILE_UNUSABLE", { file: path, reason: readFault(error) });
  }
}

/** The folder may be that of a gateway, whose own .env holds secrets: another text stays as a copy. @returns what the list says of it */
function copyOf(folder: string, { name, text }: PlannedFile): string {
  const former = textIn(folder, name);
  if (former === null || former === text) return "";
  const copy = `${name}.${new Date().toISOString().replace(/[:.]/g, "-")}`;
  named(join(folder, copy), () => Deno.writeTextFileSync(join(folder, copy), former, { mode: 0o600 }));
  return ` (the former file is ${copy})`;
}

/** @throws {SluiceError} CONFIG_FILE_UNUSABLE, which names the path */
function named(path: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw new SluiceError("CONFIG_FILE_UNUSABLE", { file: path, reason: writeFault(error) });
  }
}

function write(folder: string, { name, text, isSecret }: PlannedFile): void {
  const path = join(folder, name);
  Deno.writeTextFileSync(path, text, { mode: isSecret ? 0o600 : 0o644 });
}

function randomSecrets(): PlannedSecrets {
  const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes));
  return {
    jwtSecretKey: random(48).toBase64(),
    authEncryptionSecret: random(48).toBase64(),
    postgresPassword: random(24).toHex(),
  };
}
