// What a plan would change of the settings in force.
import { type Config, configKey, SETTINGS } from "../config/schema.ts";
import { type Figure, isServed } from "./figure.ts";

export interface Advice {
  readonly setting: string;
  /** As it would stand in a file; "": not set. */
  readonly now: string;
  readonly advised: string;
  /** The formula with its numbers and its source. */
  readonly why: string;
}

/** Rows for the settings that do not serve the plan as well as its own, in the order of the plan. */
export function adviseSettings(figures: readonly Figure[], config: Config): Advice[] {
  return adviseFigures(figures, (name) => settingText(config, name));
}

/** The same for the settings of another program. @param now null: unknown, so that there is nothing to say */
export function adviseFigures(
  figures: readonly Figure[],
  now: (name: string) => string | null,
): Advice[] {
  return figures.flatMap((figure) => {
    const text = now(figure.name);
    if (text === null || isServed(figure, text)) return [];
    return [{ setting: figure.name, now: text, advised: figure.value, why: figure.why }];
  });
}

function settingText(config: Config, name: string): string | null {
  const setting = SETTINGS.find((row) => row.name === name);
  const key = setting === undefined ? null : configKey(setting);
  if (setting === undefined || key === null) return null;
  const value: unknown = config[key];
  if (value === null) return "";
  return setting.kind.unit === "s" ? String(Number(value) / 1000) : String(value);
}
