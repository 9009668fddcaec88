// What the parts of a worker may ask of the supervisor.
import type { LineKind } from "../../telemetry/log.ts";
import type { CommandResults, SupervisorCommand, WorkerCommand } from "./messages.ts";

export interface SupervisorLink {
  /** Asks for a successor of this worker. */
  wantsRecycling(reason: string): void;
  /** @param lines whole lines for standard output, each with its newline */
  writeLog(lines: string, kind?: LineKind): void;
  /** Sends a command to every worker of this replica, this one included. The result of a worker that dies meanwhile is missing. */
  askAll<C extends WorkerCommand | SupervisorCommand>(
    command: C,
  ): Promise<readonly CommandResults[C["type"]][]>;
}
