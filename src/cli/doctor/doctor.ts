// `sluice doctor`: looks at what `serve` would use, and says what to mend. It changes nothing without --fix.
import { SluiceError } from "../../base/errors.ts";
import { loadProcessConfig } from "../../config/load.ts";
import type { DoctorArgs } from "../commands/fitness_commands.ts";
import { examineLoaded } from "./examination.ts";
import { bySeverity, type Examination, exitCodeOf } from "./finding.ts";
import { reportJson, reportText } from "./report.ts";
import { checkMistakes } from "./settings_mistakes.ts";

/** Prints the findings. @returns the exit code: 0 well, 1 warnings, 2 errors */
export async function doctor({ upstream, pgbouncerIni, fix, json }: DoctorArgs): Promise<number> {
  if (upstream !== null) {
    return await (await import("./upstream/doctor_upstream.ts")).doctorUpstream({ ...upstream, json });
  }
  if (fix) await applyRemedies(await examine(pgbouncerIni));
  const examination = await examine(pgbouncerIni);
  console.log(
    json ? JSON.stringify(reportJson(examination), null, 2) : reportText(examination),
  );
  return exitCodeOf(examination.findings);
}

/** What was written goes to standard error, so that the report stays one text, or JSON. */
async function applyRemedies({ findings }: Examination): Promise<void> {
  const { mistakesText, readDotEnv, remediesFor, remediesText, writeDotEnv } = await import(
    "./remedies/env_lines.ts"
  );
  const mistakes = findings.filter(({ id }) => id === "settings.invalid");
  if (mistakes.length > 0) {
    console.error(`${mistakesText(mistakes)}\n`);
    return;
  }
  const remedies = remediesFor(findings, loadProcessConfig({ dev: false, overrides: {} }), readDotEnv());
  const copy = remedies.changes.length === 0 ? null : writeDotEnv(remedies.text, new Date());
  console.error(`${remediesText(remedies, copy)}\n`);
}

async function examine(pgbouncerIni: string | null): Promise<Examination> {
  try {
    const loaded = loadProcessConfig({ dev: false, overrides: {} });
    const { examined, findings, upstreams } = await examineLoaded(loaded, pgbouncerIni);
    return { examined, findings: bySeverity(findings), upstreams };
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== "SETTINGS_INVALID") throw error;
    return { examined: ["the settings"], findings: checkMistakes(error.message.split("\n")) };
  }
}
