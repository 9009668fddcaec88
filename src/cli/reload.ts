// SIGHUP: reads settings, keys of tokens and certificate again. Settings that need a restart are named in the log. The secrets file
// beside the database is followed without a signal, so that `sluice keys rotate` takes effect by itself.
import { type OwnKeys, usesKeyPair } from "../auth/keys/own_keys.ts";
import { repeat, systemClock } from "../base/clock.ts";
import { reasonOf } from "../base/errors.ts";
import { type Loaded, type LoadInput, loadProcessConfig } from "../config/load.ts";
import { type Config, configKey, SETTINGS } from "../config/schema.ts";
import { type RunningSettings, settingsReport } from "../config/settings_report.ts";
import { reloadCertificate } from "../supervisor/certificate_reload.ts";
import { secretsFile } from "../store/secrets.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { Log } from "../telemetry/log.ts";
import { signingKey } from "./command_line/gateway_state.ts";

export interface ReloadDeps {
  readonly supervisor: Supervisor;
  readonly log: Log;
  /** The input with which the settings were loaded at the start. */
  readonly load: Pick<LoadInput, "dev" | "overrides">;
}

/** What the program has at its start. */
export interface Started extends Loaded {
  readonly tokenKeys: OwnKeys;
}

/** Time between two looks at the secrets file, ms. */
const LOOK_EVERY_MS = 1_000;

/** The settings and keys of the running program, and their replacement. */
export class Reload {
  #config: Config;
  #loaded: Loaded;
  /** Settings whose loaded value waits for a restart. */
  #waiting: readonly string[] = [];
  #tokenKeys: OwnKeys;
  readonly #deps: ReloadDeps;
  /** The reload that is under way. A further one waits for its end. */
  #running: Promise<void> = Promise.resolve();

  constructor({ tokenKeys, ...loaded }: Started, deps: ReloadDeps) {
    this.#config = loaded.config;
    this.#loaded = loaded;
    this.#tokenKeys = tokenKeys;
    this.#deps = deps;
  }

  /** The settings that are in effect. */
  report(): RunningSettings {
    return { ...settingsReport(this.loaded), needs_restart: this.#waiting };
  }

  /** What is in effect, and where it comes from. */
  get loaded(): Loaded {
    return { ...this.#loaded, config: this.#config };
  }

  /** Never throws. A mistake is logged, and the gateway keeps its settings and keys. */
  run(): Promise<void> {
    return this.#running = this.#running.then(() => this.#run());
  }

  /** Reads the keys again whenever the secrets file changes. @returns stops it */
  followSecrets(): () => void {
    const { jwtSecretKey, databaseUrl } = this.#config;
    const path = secretsFile(databaseUrl);
    if (path === null || jwtSecretKey !== null || usesKeyPair(this.#config)) return () => {};
    let seen: string | null = null;
    return repeat(systemClock, LOOK_EVERY_MS, async () => {
      const now = await stateOf(path);
      // The first look reads the keys too: they may have changed since the start.
      const isNews = now !== null && now !== seen;
      seen = now ?? seen;
      if (isNews) await (this.#running = this.#running.then(() => this.#replaceKeys()));
    });
  }

  async #run(): Promise<void> {
    const { supervisor, log, load } = this.#deps;
    let loaded: Loaded;
    try {
      loaded = loadProcessConfig(load);
    } catch (error) {
      return log.error("settings not reloaded", { reason: reasonOf(error) });
    }
    const { next, changed, fixed } = mergeReloadable(this.#config, loaded.config);
    if (fixed.length > 0) log.warning("settings need a restart", { settings: fixed });
    this.#loaded = loaded;
    this.#waiting = fixed;
    if (changed.length > 0) {
      this.#config = next;
      log.info("settings reloaded", { settings: changed });
    } else if (fixed.length === 0) log.info("settings read again, none has changed");
    const hasNewKeys = await this.#readKeys();
    if (changed.length > 0 || hasNewKeys) await supervisor.reconfigure(next, this.#tokenKeys);
    await reloadCertificate(this.#config, supervisor, log);
    await this.#renewSecrets();
  }

  /** The files and the command of references in the credentials of upstreams. */
  async #renewSecrets(): Promise<void> {
    if (this.#config.secretsDirectory === null && this.#config.secretCommand === null) return;
    await this.#deps.supervisor.askAll({ type: "renew_secrets" });
    this.#deps.log.info("secrets of upstreams are read again");
  }

  async #replaceKeys(): Promise<void> {
    if (await this.#readKeys()) await this.#deps.supervisor.reconfigure(this.#config, this.#tokenKeys);
  }

  /** @returns whether they have changed */
  async #readKeys(): Promise<boolean> {
    const { log } = this.#deps;
    try {
      const { keys } = await signingKey(
        { ...this.#loaded, config: this.#config },
        (warning) => log.warning("token keys", { warning }),
      );
      if (JSON.stringify(keys) === JSON.stringify(this.#tokenKeys)) return false;
      this.#tokenKeys = keys;
      log.info("token keys reloaded");
      return true;
    } catch (error) {
      log.error("token keys not reloaded, the former ones stay", { reason: reasonOf(error) });
      return false;
    }
  }
}

/** Differs from that of another content. null: the file is not there at the moment. */
async function stateOf(path: string): Promise<string | null> {
  try {
    const { mtime, ino, size } = await Deno.stat(path);
    return `${mtime?.getTime()} ${ino} ${size}`;
  } catch {
    return null;
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
