// Room `stdio`: upstreams that are child processes. `Transports` opens them through `StdioProcesses`.
// This file starts the processes of one worker and keeps their number within the limits.
import type { Caller } from "../../base/sharing/caller.ts";
import type { Clock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import type { Log } from "../../telemetry/log.ts";
import { type OpenChannel, ownerOf } from "../duplex/duplex_channel.ts";
import type { Account } from "./account.ts";
import { withoutValuesOf } from "../transport/without_secrets.ts";
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
  /** The user of the processes; null: the gateway's own. */
  readonly account: Account | null;
  readonly onStarted: () => void;
}

/** The part of a registered upstream that is needed to start it. */
export interface StdioUpstream {
  readonly name: string;
  readonly launch: Launch;
  /** The registration's own variables. They are secrets: must not be logged. */
  readonly env: Readonly<Record<string, string>>;
  /** The variables as they are now, if `env` has references to secrets. */
  readonly readEnv?: () => Promise<Readonly<Record<string, string>>>;
  /** The operator's own file names the command. */
  readonly isOwn: boolean;
}

/**
 * A caller may have this many times the processes that nobody has, for one upstream and for all: up to three quarters where it is
 * alone.
 */
const CALLER_SHARE = 3;

/** Whom a process was started for. */
interface Started {
  readonly upstream: string;
  readonly caller: Caller | undefined;
}

export class StdioProcesses {
  readonly #options: StdioProcessesOptions;
  /** Running and ending processes. */
  readonly #channels = new Map<StdioChannel, Started>();

  constructor(options: StdioProcessesOptions) {
    this.#options = options;
  }

  /** The number of processes. */
  get size(): number {
    return this.#channels.size;
  }

  /** The number of processes by the upstream's name. */
  byUpstream(): ReadonlyMap<string, number> {
    const groups = Map.groupBy(this.#channels.values(), ({ upstream }) => upstream);
    return new Map([...groups].map(([upstream, { length }]) => [upstream, length]));
  }

  /** Resolves when all processes have ended. The caller must have ended them. */
  async idle(): Promise<void> {
    while (this.#channels.size > 0) await Promise.all([...this.#channels.keys()].map(({ ended }) => ended));
  }

  /** Starts a process for each session. @throws {SluiceError} COMMAND_DENIED, STDIO_LIMIT_REACHED, UPSTREAM_CONNECT_FAILED */
  opener(registered: StdioUpstream): OpenChannel {
    return async (_passed, receiver, exchange) => {
      const env = registered.readEnv === undefined ? registered.env : await registered.readEnv();
      const upstream = { ...registered, env };
      const { caller } = exchange;
      checkLaunch(upstream.launch, this.#options, upstream.isOwn);
      checkVariables(Object.keys(upstream.env), this.#options);
      this.#requireRoom({ upstream: upstream.name, caller });
      const child = this.#spawn(upstream);
      this.#options.onStarted();
      const { maxLineBytes, clock, log } = this.#options;
      const channel = new StdioChannel(child, receiver, {
        upstream: upstream.name,
        maxLineBytes,
        owner: ownerOf(exchange),
        clock,
        log,
        withoutSecrets: (words) => withoutValuesOf(upstream.env, words),
      });
      this.#channels.set(channel, { upstream: upstream.name, caller });
      void channel.ended.then(() => this.#channels.delete(channel));
      return channel;
    };
  }

  #spawn({ name, launch, env: own }: StdioUpstream): Deno.ChildProcess {
    const failed = (reason: string, cause?: unknown) =>
      new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: name, reason }, { cause });
    const { environment, account } = this.#options;
    const env = childEnvironment(own, environment, account);
    const { command, args, cwd } = launch;
    if (cwd !== null && !isFolder(cwd)) throw failed(`the working directory "${cwd}" does not exist`);
    const program = findProgram(command, { path: env.PATH ?? "", cwd: cwd ?? Deno.cwd() });
    if (program === null) throw failed(`no executable program "${command}" was found`);
    try {
      return spawnGroup({ program, args, cwd: cwd ?? undefined, env, account });
    } catch (error) {
      throw failed(`"${command}" cannot be started: ${reasonOf(error)}`, error);
    }
  }

  /** @throws {SluiceError} STDIO_LIMIT_REACHED */
  #requireRoom({ upstream, caller }: Started): void {
    const { stdioMaxProcesses, stdioMaxProcessesPerUpstream } = this.#options;
    const all = [...this.#channels.values()];
    this.#requireShare(all, { upstream, caller }, stdioMaxProcesses, "STDIO_MAX_PROCESSES");
    const own = all.filter((started) => started.upstream === upstream);
    this.#requireShare(
      own,
      { upstream, caller },
      stdioMaxProcessesPerUpstream,
      "STDIO_MAX_PROCESSES_PER_UPSTREAM",
    );
  }

  #requireShare(
    running: readonly Started[],
    { upstream, caller }: Started,
    limit: number,
    setting: string,
  ): void {
    const refuse = (reason: string) => {
      throw new SluiceError("STDIO_LIMIT_REACHED", { upstream, reason, setting });
    };
    if (running.length >= limit) refuse(`this worker runs ${limit}, which is the limit`);
    const own = caller === undefined ? 0 : running.filter((started) => started.caller === caller).length;
    if (own >= CALLER_SHARE * (limit - running.length)) {
      refuse(`${own} of the ${limit} that this worker may run are for the same caller`);
    }
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
