// Room `stdio`: upstreams that are child processes. `Transports` opens them through `StdioProcesses`.
// This file starts the processes of one worker and keeps their number within the limits.
import type { Clock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import type { Log } from "../../telemetry/log.ts";
import type { OpenChannel } from "../duplex/duplex_channel.ts";
import { findProgram } from "./find_program.ts";
import type { Launch } from "./launch.ts";
import { checkLaunch, checkVariables, childEnvironment, type StdioRules } from "./policy.ts";
import { spawnGroup } from "./process_group.ts";
import { StdioChannel } from "./stdio_channel.ts";

export interface StdioProcessesOptions extends StdioRules {
  readonly stdioMaxProcesses: number;
  readonly stdioMaxProcessesPerUpstream: number;
  readonly maxLineBytes: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Reads a variable of the gateway's own environment. */
  readonly environment: (name: string) => string | undefined;
  readonly onStarted: () => void;
}

/** The part of a registered upstream that is needed to start it. */
export interface StdioUpstream {
  readonly name: string;
  readonly launch: Launch;
  /** The registration's own variables. They are secrets: must not be logged. */
  readonly env: Readonly<Record<string, string>>;
}

export class StdioProcesses {
  readonly #options: StdioProcessesOptions;
  /** Running and ending processes, by upstream. */
  readonly #running = new Map<string, number>();
  readonly #channels = new Set<StdioChannel>();

  constructor(options: StdioProcessesOptions) {
    this.#options = options;
  }

  /** The number of processes. */
  get size(): number {
    return this.#channels.size;
  }

  /** Resolves when all processes have ended. The caller must have ended them. */
  async idle(): Promise<void> {
    while (this.#channels.size > 0) await Promise.all([...this.#channels].map(({ ended }) => ended));
  }

  /** Starts a process for each session. @throws {SluiceError} COMMAND_DENIED, STDIO_LIMIT_REACHED, UPSTREAM_CONNECT_FAILED */
  opener(upstream: StdioUpstream): OpenChannel {
    return (_passed, receiver) => {
      checkLaunch(upstream.launch, this.#options);
      checkVariables(Object.keys(upstream.env), this.#options);
      this.#requireRoom(upstream.name);
      const child = this.#spawn(upstream);
      this.#options.onStarted();
      const { maxLineBytes, clock, log } = this.#options;
      const channel = new StdioChannel(child, receiver, {
        upstream: upstream.name,
        maxLineBytes,
        clock,
        log,
      });
      this.#channels.add(channel);
      this.#count(upstream.name, 1);
      void channel.ended.then(() => {
        this.#channels.delete(channel);
        this.#count(upstream.name, -1);
      });
      return Promise.resolve(channel);
    };
  }

  #spawn({ name, launch, env: own }: StdioUpstream): Deno.ChildProcess {
    const failed = (reason: string, cause?: unknown) =>
      new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: name, reason }, { cause });
    const { environment } = this.#options;
    const env = childEnvironment(own, environment);
    const { command, args, cwd } = launch;
    if (cwd !== null && !isFolder(cwd)) throw failed(`the working directory "${cwd}" does not exist`);
    const program = findProgram(command, { path: environment("PATH") ?? "", cwd: cwd ?? Deno.cwd() });
    if (program === null) throw failed(`no executable program "${command}" was found`);
    try {
      return spawnGroup({ program, args, cwd: cwd ?? undefined, env });
    } catch (error) {
      throw failed(`"${command}" cannot be started: ${reasonOf(error)}`, error);
    }
  }

  #requireRoom(upstream: string): void {
    const { stdioMaxProcesses, stdioMaxProcessesPerUpstream } = this.#options;
    const refuse = (limit: number, setting: string) => {
      throw new SluiceError("STDIO_LIMIT_REACHED", { upstream, limit, setting });
    };
    if (this.size >= stdioMaxProcesses) refuse(stdioMaxProcesses, "STDIO_MAX_PROCESSES");
    if ((this.#running.get(upstream) ?? 0) >= stdioMaxProcessesPerUpstream) {
      refuse(stdioMaxProcessesPerUpstream, "STDIO_MAX_PROCESSES_PER_UPSTREAM");
    }
  }

  #count(upstream: string, change: 1 | -1): void {
    const count = (this.#running.get(upstream) ?? 0) + change;
    if (count === 0) this.#running.delete(upstream);
    else this.#running.set(upstream, count);
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
