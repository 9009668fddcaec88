// SIGHUP: reads settings and certificate again. Settings that need a restart are named in the log.
import { reasonOf } from "../base/errors.ts";
import { type Loaded, type LoadInput, loadProcessConfig } from "../config/load.ts";
import { type Config, configKey, SETTINGS } from "../config/schema.ts";
import { reloadCertificate } from "../supervisor/certificate_reload.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { Log } from "../telemetry/log.ts";

export interface ReloadDeps {
  readonly supervisor: Supervisor;
  readonly log: Log;
  /** The input with which the settings were loaded at the start. */
  readonly load: Pick<LoadInput, "dev" | "overrides">;
}

/** The settings of the running program, and their replacement. */
export class Reload {
  #config: Config;
  readonly #deps: ReloadDeps;

  constructor(config: Config, deps: ReloadDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  /** Never throws. A mistake is logged, and the gateway keeps its settings. */
  async run(): Promise<void> {
    const { supervisor, log, load } = this.#deps;
    let loaded: Loaded;
    try {
      loaded = loadProcessConfig(load);
    } catch (error) {
      return log.error("settings not reloaded", { reason: reasonOf(error) });
    }
    const { next, changed, fixed } = mergeReloadable(this.#config, loaded.config);
    if (fixed.length > 0) log.warning("settings need a restart", { settings: fixed });
    if (changed.length > 0) {
      this.#config = next;
      log.info("settings reloaded", { settings: changed });
      await supervisor.reconfigure(next);
    }
    await reloadCertificate(this.#config, supervisor, log);
  }
}

/** The running settings, with the loaded values of those that may change while the gateway runs. */
export function mergeReloadable(
  running: Config,
  loaded: Config,
): { readonly next: Config; readonly changed: string[]; readonly fixed: string[] } {
  const next: Record<string, unknown> = { ...running };
  const changed: string[] = [];
  const fixed: string[] = [];
  for (const setting of SETTINGS) {
    const key = configKey(setting);
    // The running value of PORT=0 is the port that was chosen.
    if (key === null || key === "port" || JSON.stringify(running[key]) === JSON.stringify(loaded[key])) {
      continue;
    }
    if (setting.reloadable) {
      next[key] = loaded[key];
      changed.push(setting.name);
    } else fixed.push(setting.name);
  }
  return { next: next as unknown as Config, changed, fixed };
}
