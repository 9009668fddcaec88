// Reports names and URIs that several upstreams offer at one endpoint. Each conflict is logged once while the process lives, and the
// conflicts of two upstreams at an endpoint together; a metric counts them.
import { BoundedMap } from "../base/bounded_map.ts";
import type { Catalog, Scope } from "./snapshot/catalog.ts";
import type { Effort } from "./snapshot/uri_template.ts";
import { newSearch, uriConflicts } from "./snapshot/uri_conflicts.ts";
import type { Log } from "../telemetry/log.ts";

/** Limit of log entries per catalog. */
const MAX_LOGGED = 20;

/** Limit of conflicts that are remembered as logged. */
const MAX_REMEMBERED = 10_000;

export class Conflicts {
  readonly #log: Pick<Log, "warning">;
  /** Conflicts that have been logged, by event and upstreams. They may go and come back with each change of the catalog. */
  readonly #logged = new BoundedMap<string, true>({ maxEntries: MAX_REMEMBERED });
  #names = 0;
  #uris = 0;

  constructor(log: Pick<Log, "warning">) {
    this.#log = log;
  }

  /** Tools and prompts that were renamed because of a conflict, counted per endpoint. */
  get names(): number {
    return this.#names;
  }

  /** Resources and templates that another upstream's takes URIs from, counted per endpoint. */
  get uris(): number {
    return this.#uris;
  }

  /** Examines a new catalog. */
  update({ all, scopes }: Catalog): void {
    const names = [all, ...scopes].flatMap(namesIn);
    this.#names = names.length;
    this.#note("name conflict at an endpoint", names, (fields) => fields);
    const search = newSearch();
    const uris = [all, ...scopes].flatMap((scope) => urisIn(scope, search));
    this.#uris = uris.length;
    this.#note("resources with one URI", uris, ({ server, keptBy, hidden }) => [server, keptBy, hidden]);
  }

  /** Logs the new ones. Those with one key are logged as the first of them, with the number of the others. */
  #note(
    event: string,
    conflicts: readonly Record<string, unknown>[],
    keyOf: (fields: Record<string, unknown>) => unknown,
  ): void {
    const groups = Map.groupBy(conflicts, (fields) => JSON.stringify([event, keyOf(fields)]));
    const news = [...groups].filter(([key]) => !this.#logged.has(key));
    for (const [key] of news) this.#logged.set(key, true);
    for (const [, [first, ...others]] of news.slice(0, MAX_LOGGED)) {
      this.#log.warning(event, others.length === 0 ? first : { ...first, others: others.length });
    }
    const unsaid = news.length - MAX_LOGGED;
    if (unsaid > 0) this.#log.warning(event, { more: unsaid });
  }
}

function namesIn({ server, conflicts }: Scope): Record<string, unknown>[] {
  return conflicts.map(({ kind, name, keptBy, renamed, renamedTo }) => ({
    ...{ server: server?.name ?? null, kind, name, keptBy: keptBy.name, renamed: renamed.name, renamedTo },
  }));
}

function urisIn({ server, resources, templates }: Scope, search: Effort): Record<string, unknown>[] {
  return uriConflicts([...resources.all, ...templates.all], search).map(({ kind, uri, keptBy, hidden }) => ({
    ...{ server: server?.name ?? null, kind, uri, keptBy: keptBy.gateway.name, hidden: hidden.gateway.name },
    ...(kind === "overlap" ? { template: hidden.row.uri } : {}),
  }));
}
