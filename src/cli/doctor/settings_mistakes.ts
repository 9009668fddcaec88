// Settings with which `serve` does not start: each mistake with the line that corrects it.
import { SETTINGS } from "../../config/schema.ts";
import type { Setting } from "../../config/settings/setting.ts";
import { type Finding, sentence } from "./finding.ts";
import { secretLine } from "./remedies/gateway_lines.ts";

/** Findings for settings with which `serve` does not start. @param mistakes the lines of SETTINGS_INVALID */
export function checkMistakes(mistakes: readonly string[]): Finding[] {
  return mistakes.map((mistake) => ({
    id: "settings.invalid",
    severity: "error",
    found: sentence(mistake),
    why: "The gateway does not start with it.",
    ...mistakeRemedy(mistake),
    page: "settings",
  }));
}

/** @param mistake as `loadConfig` words it: the name, the place of its line, and what is wrong */
function mistakeRemedy(mistake: string): Pick<Finding, "fix" | "remark"> {
  const [, wrong, from, meant] =
    /^(\w+) \((\.env|environment)\): unknown setting; did you mean (\w+)\?$/.exec(mistake) ?? [];
  if (wrong !== undefined) {
    return from === ".env"
      ? {
        fix: `sed -i 's/\\b${wrong} *=/${meant}=/' .env`,
        remark: "or remove the line, if it is of another program",
      }
      : { fix: `export ${meant}="$${wrong}"; unset ${wrong}`, remark: "where the environment is set" };
  }
  const [, name, place] = /^(\w+)=.*? \((\.env|environment)[^)]*\): /.exec(mistake) ?? [];
  const setting = SETTINGS.find((row: Setting) =>
    [row.name, ...row.aliases ?? []].includes(name?.toUpperCase() ?? "")
  );
  if (setting !== undefined && mistake.includes("openssl rand")) {
    return { fix: secretLine(setting.name), remark: "in place of the line that is there" };
  }
  if (mistake.includes("it is not UTF-8 text")) {
    return {
      fix: "iconv -f UTF-16 -t UTF-8 .env > .env.utf8 && mv .env.utf8 .env",
      remark: "if it is UTF-16, as some shells of Windows write it",
    };
  }
  if (setting === undefined || setting.default === null) {
    return { fix: "sluice config", remark: "shows the settings once the named line is corrected" };
  }
  return {
    fix: `${setting.name}=${setting.default}`,
    remark: `the default, ${place === ".env" ? "in .env" : "in the environment"}; or another value that fits`,
  };
}
