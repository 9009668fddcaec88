// `sluice doctor`: looks at what `serve` would use, and says what to mend. It changes nothing.
import { SluiceError } from "../../base/errors.ts";
import { type Loaded, loadProcessConfig } from "../../config/load.ts";
import { parseDatabaseUrl } from "../../store/database_url.ts";
import type { DoctorArgs } from "../command_line/flags.ts";
import { bySeverity, type Examination, exitCodeOf } from "./finding.ts";
import { checkMachine } from "./machine_checks.ts";
import { readMachine } from "./machine_facts.ts";
import { reportJson, reportText } from "./report.ts";
import { checkMistakes, checkSettings } from "./settings_checks.ts";
import { readSettingsFacts } from "./settings_facts.ts";
import { checkSqlite } from "./sqlite_checks.ts";
import { readSqlite } from "./sqlite_facts.ts";

/** Prints the findings. @returns the exit code: 0 well, 1 warnings, 2 errors */
export async function doctor({ json }: DoctorArgs): Promise<number> {
  const examination = await examine();
  console.log(
    json ? JSON.stringify(reportJson(examination), null, 2) : reportText(examination),
  );
  return exitCodeOf(examination.findings);
}

async function examine(): Promise<Examination> {
  try {
    const { examined, findings } = await examineLoaded(loadProcessConfig({ dev: false, overrides: {} }));
    return { examined, findings: bySeverity(findings) };
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== "SETTINGS_INVALID") throw error;
    return { examined: ["the settings"], findings: checkMistakes(error.message.split("\n")) };
  }
}

async function examineLoaded(loaded: Loaded): Promise<Examination> {
  const { config } = loaded;
  const location = parseDatabaseUrl(config.databaseUrl);
  const parts: Examination[] = [
    { examined: ["the settings"], findings: checkSettings(loaded, await readSettingsFacts(loaded)) },
    { examined: ["this machine"], findings: checkMachine(config, readMachine()) },
  ];
  if (location.kind === "sqlite") {
    const facts = await readSqlite(location.path, config.databaseUrl);
    parts.push({ examined: [`SQLite at ${location.path}`], findings: checkSqlite(facts) });
  }
  return {
    examined: parts.flatMap(({ examined }) => examined),
    findings: parts.flatMap(({ findings }) => findings),
  };
}
