// `serve --mcp-config FILE`: the gateway's registry follows a client's configuration file.

import { resolve } from "node:path";
import { type Clock, sleep } from "../../base/clock.ts";
import { reasonOf } from "../../base/errors.ts";
import type { ConfigFileChanges, ConfigFileContent } from "../../admin/imports/config_file_sync.ts";
import { entryReferences, isFaulty } from "../../client_config/server_entries.ts";
import { mcpConfigSource } from "../../client_config/entry_source.ts";
import type { Log } from "../../telemetry/log.ts";
import { type ConfigFile, readConfigFile, valuesOf } from "./config_file.ts";

/** The pause between looks at the file. A look asks for its time of change; it works on network and container file systems too. */
const LOOK_MS = 1_000;

export interface FollowDeps {
  readonly supervisor: {
    askOne(
      command: { readonly type: "apply_config_file"; readonly content: ConfigFileContent },
    ): Promise<ConfigFileChanges | null>;
  };
  readonly log: Log;
  readonly clock: Clock;
  /** Ends the following. */
  readonly signal: AbortSignal;
}

export class McpConfigFile {
  readonly #path: string;
  /** What is to be applied; null: the file's content has been. */
  #pending: ConfigFile | null;
  /** The file's identity and time at the last look. */
  #seen: string;

  private constructor(path: string, content: ConfigFile, seen: string) {
    this.#path = path;
    this.#pending = content;
    this.#seen = seen;
  }

  /** @throws {SluiceError} CONFIG_FILE_UNUSABLE: a gateway does not start with a file that it cannot read */
  static open(file: string): McpConfigFile {
    const path = resolve(file);
    const seen = stampOf(path);
    return new McpConfigFile(path, readConfigFile(path), seen);
  }

  /** Applies the file, and goes on until the signal. Resolves after the first try. Never throws. */
  async follow(deps: FollowDeps): Promise<void> {
    await this.#apply(deps);
    void this.#run(deps);
  }

  async #run(deps: FollowDeps): Promise<void> {
    const { clock, signal } = deps;
    while (!signal.aborted) {
      await sleep(clock, LOOK_MS, signal).catch(() => {});
      if (signal.aborted) return;
      this.#look(deps.log);
      await this.#apply(deps);
    }
  }

  /** A file that cannot be read changes nothing: an editor may be writing it. */
  #look(log: Log): void {
    const stamp = stampOf(this.#path);
    if (stamp === this.#seen) return;
    this.#seen = stamp;
    try {
      this.#pending = readConfigFile(this.#path);
    } catch (error) {
      log.warning("mcp config not applied, its servers stay as they were", { reason: reasonOf(error) });
    }
  }

  async #apply({ supervisor, log }: FollowDeps): Promise<void> {
    if (this.#pending === null) return;
    const content = contentOf(this.#pending);
    const changes = await supervisor.askOne({ type: "apply_config_file", content });
    if (changes === null) {
      return log.warning("mcp config not applied yet, trying again", { file: this.#path });
    }
    this.#pending = null;
    const { registered, changed, removed, leftOut } = changes;
    log.info("mcp config applied", {
      // They start now; each has a line of its own when it is ready.
      ...{ file: this.#path, added: registered, changed, removed },
      leftOut: leftOut.map(({ name }) => name),
    });
    for (const { name, reason } of leftOut) {
      log.warning("server of mcp config left out", { server: name, reason });
    }
  }
}

/** Inputs that a client would ask its user for come from the environment too. */
function contentOf(file: ConfigFile): ConfigFileContent {
  const environment = (name: string) => Deno.env.get(name);
  const inputs = file.entries.flatMap((entry) => isFaulty(entry) ? [] : entryReferences(entry))
    .filter(({ kind, name }) => kind === "input" && environment(name) !== undefined)
    .map(({ name }) => name);
  const { values } = valuesOf(file, inputs, environment);
  return {
    source: mcpConfigSource(file.path),
    entries: file.entries,
    values: { ...file.defaults, ...values },
  };
}

/** Changes with the file's content, also where another file takes its place. */
function stampOf(path: string): string {
  try {
    const { mtime, size, ino } = Deno.statSync(path);
    return `${mtime?.getTime()} ${size} ${ino}`;
  } catch (error) {
    return reasonOf(error);
  }
}
