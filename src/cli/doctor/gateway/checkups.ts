// The doctor's findings about a gateway that serves. The examination runs behind the answers, while somebody asks.
import { reasonOf } from "../../../base/errors.ts";
import type { Loaded } from "../../../config/load.ts";
import { replicaAddress } from "../../../cluster/replica_address.ts";
import { type Checkup, NOT_EXAMINED } from "../../../telemetry/checkup.ts";
import type { Log } from "../../../telemetry/log.ts";
import { examine, type FileFacts, type FullExamination } from "../examination.ts";
import { ramMbOf } from "../machine_facts.ts";
import { bySeverity } from "../finding.ts";
import { statesOf } from "./registry_checks.ts";

/** An examination opens a connection to the database and asks each replica. */
const FRESH_MS = 60_000;

/** A page shows so many. */
const [MAX_FINDINGS, MAX_REPLICAS] = [200, 200];

export class Checkups {
  #latest: Checkup = NOT_EXAMINED;
  #begunAt = -Infinity;
  #isRunning = false;

  /** @param now a monotonic clock, ms */
  constructor(
    private readonly examination: () => Promise<Checkup>,
    private readonly log: Pick<Log, "warning">,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** The latest findings, at once. Where they are older than a minute, an examination begins. */
  latest(): Checkup {
    if (this.now() - this.#begunAt >= FRESH_MS) this.#begin();
    return this.#shown();
  }

  /** Begins an examination, unless one is under way. @returns the latest findings, at once */
  renewed(): Checkup {
    this.#begin();
    return this.#shown();
  }

  #shown(): Checkup {
    return { ...this.#latest, is_under_way: this.#isRunning };
  }

  #begin(): void {
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    this.#begunAt = this.now();
    try {
      this.#latest = await this.examination();
    } catch (error) {
      this.log.warning("not examined", { reason: reasonOf(error) });
    } finally {
      this.#isRunning = false;
    }
  }
}

/** @param files as they were when the gateway started; null: they could not be read */
export async function examineServing(loaded: Loaded, files: FileFacts | null): Promise<Checkup> {
  return checkupOf(await examine(loaded, files), replicaAddress(loaded.config), new Date());
}

export function checkupOf(
  { examined, findings, replicas, machine }: FullExamination,
  ownAddress: string,
  at: Date,
): Checkup {
  return {
    examined_at: at.toISOString(),
    is_under_way: false,
    examined,
    findings: bySeverity(findings).slice(0, MAX_FINDINGS),
    replicas: statesOf(replicas, ownAddress).slice(0, MAX_REPLICAS),
    machine: { vcpu: machine.cores, ram_mb: ramMbOf(machine) },
  };
}
