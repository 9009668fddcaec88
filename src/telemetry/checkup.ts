// What the doctor has found of a running gateway: it is examined in the main thread, and shown by workers.

export interface Checkup {
  /** When the latest examination ended, ISO 8601; null: none has ended. */
  readonly examined_at: string | null;
  /** Will there be newer findings soon? */
  readonly is_under_way: boolean;
  /** What was looked at, for people. */
  readonly examined: readonly string[];
  /** The worst first. */
  readonly findings: readonly CheckupFinding[];
  /** All that are registered; empty while it is not known. */
  readonly replicas: readonly ReplicaStatus[];
  /** null: not known yet. */
  readonly machine: MachineSize | null;
}

export interface MachineSize {
  readonly vcpu: number;
  /** Of the machine, or of the container's limit. */
  readonly ram_mb: number;
}

/** The doctor's finding as programs read it: see `Finding` of the command. */
export interface CheckupFinding {
  readonly id: string;
  readonly severity: "error" | "warning" | "note";
  readonly found: string;
  readonly why: string;
  readonly fix: string;
  readonly remark?: string;
  readonly page: string;
  readonly upstream?: string;
}

export interface ReplicaStatus {
  readonly address: string;
  /** Is it the one that answers? */
  readonly is_this: boolean;
  /** `foreign`: it has other secrets or another version. `unknown`: it could not be asked. */
  readonly state: "serves" | "unreachable" | "foreign" | "unknown";
  /** null: it has not said. */
  readonly version: string | null;
  /** Why it cannot be reached; null: it can, or it is not known. */
  readonly reason: string | null;
}

/** Before the first examination has ended. */
export const NOT_EXAMINED: Checkup = {
  examined_at: null,
  is_under_way: false,
  examined: [],
  findings: [],
  replicas: [],
  machine: null,
};
