// Name conflicts in virtual servers, for the operator: each is logged once, and their number is a metric.
import type { Catalog } from "../catalog/catalog.ts";
import type { Log } from "../telemetry/log.ts";

export class NameConflicts {
  readonly #log: Pick<Log, "warning">;
  #known: ReadonlySet<string> = new Set();

  constructor(log: Pick<Log, "warning">) {
    this.#log = log;
  }

  /** How many there are. */
  get size(): number {
    return this.#known.size;
  }

  /** Takes note of a new catalog; what was in the last one is no news. */
  update({ scopes }: Catalog): void {
    const now = new Set<string>();
    for (const { server, conflicts } of scopes) {
      for (const { kind, name, keptBy, renamed, renamedTo } of conflicts) {
        const fields = {
          server: server!.name,
          kind,
          name,
          keptBy: keptBy.name,
          renamed: renamed.name,
          renamedTo,
        };
        const key = JSON.stringify(fields);
        now.add(key);
        if (!this.#known.has(key)) this.#log.warning("name conflict in a virtual server", fields);
      }
    }
    this.#known = now;
  }
}
