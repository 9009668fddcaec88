// Reports names and URIs that several upstreams offer at one endpoint. Each conflict is logged once; a metric counts them.
import type { Catalog, Scope } from "./snapshot/catalog.ts";
import type { Effort } from "./snapshot/uri_template.ts";
import { newSearch, uriConflicts } from "./snapshot/uri_conflicts.ts";
import type { Log } from "../telemetry/log.ts";

/** Limit of log entries per catalog. */
const MAX_LOGGED = 20;

export class Conflicts {
  readonly #log: Pick<Log, "warning">;
  #names: ReadonlySet<string> = new Set();
  #uris: ReadonlySet<string> = new Set();

  constructor(log: Pick<Log, "warning">) {
    this.#log = log;
  }

  /** Tools and prompts that were renamed because of a conflict, counted per endpoint. */
  get names(): number {
    return this.#names.size;
  }

  /** Resources and templates that another upstream's takes URIs from, counted per endpoint. */
  get uris(): number {
    return this.#uris.size;
  }

  /** Examines a new catalog. Conflicts of the previous catalog are not logged again. */
  update({ all, scopes }: Catalog): void {
    this.#names = this.#note("name conflict at an endpoint", this.#names, [all, ...scopes].flatMap(namesIn));
    const search = newSearch();
    const uris = [all, ...scopes].flatMap((scope) => urisIn(scope, search));
    this.#uris = this.#note("resources with one URI", this.#uris, uris);
  }

  #note(
    event: string,
    known: ReadonlySet<string>,
    conflicts: readonly Record<string, unknown>[],
  ): Set<string> {
    const now = new Map(conflicts.map((fields) => [JSON.stringify(fields), fields]));
    const news = [...now].filter(([key]) => !known.has(key));
    for (const [, fields] of news.slice(0, MAX_LOGGED)) this.#log.warning(event, fields);
    const unsaid = news.length - MAX_LOGGED;
    if (unsaid > 0) this.#log.warning(event, { more: unsaid });
    return new Set(now.keys());
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
