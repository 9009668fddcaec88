// SIGHUP: what can be read again is read again; what cannot is named.
import { reasonOf } from "../base/errors.ts";
import { type Loaded, type LoadInput, loadProcessConfig } from "../config/load.ts";
import { type Config, configKey, SETTINGS } from "../config/schema.ts";
import { reloadCertificate } from "../supervisor/certificate_reload.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { Log } from "../telemetry/log.ts";

export interface ReloadDeps {
  readonly supervisor: Supervisor;
  readonly log: Log;
  /** How the settings were loaded at the start. */
  readonly load: Pick<LoadInput, "dev" | "overrides">;
}

/** The settings of the running program, and how they become others. */
export class Reload {
  #config: Config;
  readonly #deps: ReloadDeps;

  constructor(config: Config, deps: ReloadDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  /** Never throws: what is wrong is in the log, and everything goes on as it was. */
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

/** The running settings with those of the new ones that may change while it runs. */
export function mergeReloadable(
  running: Config,
  loaded: Config,
): { readonly next: Config; readonly changed: string[]; readonly fixed: string[] } {
  const next: Record<string, unknown> = { ...running };
  const changed: string[] = [];
  const fixed: string[] = [];
  for (const setting of SETTINGS) {
    const key = configKey(setting);
    // Port 0 has become a real one.
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
