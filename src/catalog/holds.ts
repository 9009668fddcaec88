// Tells of changes of upstreams that wait for an approval, and holds those that only a client's own session lists.
import { createHash } from "node:crypto";
import { BoundedMap } from "../base/bounded_map.ts";
import { reasonOf } from "../base/errors.ts";
import type { Holding } from "../store/approvals/approvals.ts";
import type { Registry } from "../store/registry/registry.ts";
import type { DiscoveredEntry, EntryKind, GatewayRow } from "../store/registry/rows.ts";
import type { Log } from "../telemetry/log.ts";

export interface HoldsDeps {
  readonly registry: Pick<Registry, "holdForSession">;
  readonly log: Pick<Log, "warning" | "error">;
  readonly catalogChanged: () => Promise<void>;
  readonly count: (result: "held" | "not_kept") => void;
}

/** Limit of log entries per refresh. */
const MAX_LOGGED = 20;

/** Limit of session entries that this worker remembers to have held, or found approved. */
const MAX_REMEMBERED = 5_000;

export class Holds {
  readonly #deps: HoldsDeps;
  /** Each change of a session's list is looked at once. */
  readonly #seen = new BoundedMap<string, true>({ maxEntries: MAX_REMEMBERED });

  constructor(deps: HoldsDeps) {
    this.#deps = deps;
  }

  /** Logs each change once: when it begins to wait. */
  report(upstream: string, { held, notKept }: Holding): void {
    const { log, count } = this.#deps;
    for (const { kind, key, isNew, hash } of held.slice(0, MAX_LOGGED)) {
      const change = isNew ? "new" : "changed";
      log.warning("upstream change waits for approval", { upstream, kind, name: key, change, hash });
    }
    if (held.length > MAX_LOGGED) {
      log.warning("upstream change waits for approval", { upstream, more: held.length - MAX_LOGGED });
    }
    if (notKept > 0) {
      log.warning("upstream changes not kept: too many wait for approval", { upstream, changes: notKept });
    }
    for (let n = 0; n < held.length; n++) count("held");
    for (let n = 0; n < notKept; n++) count("not_kept");
  }

  /** Holds entries in the background. Never throws. */
  noteSession(gateway: GatewayRow, kind: EntryKind, entries: readonly DiscoveredEntry[]): void {
    const marks = entries.map(({ key, text }) => markOf(gateway, kind, key, text));
    const news = entries.filter((_, i) => this.#seen.get(marks[i]!) === undefined);
    if (news.length === 0) return;
    for (const mark of marks) this.#seen.set(mark, true);
    void this.#hold(gateway, kind, news).catch((error) => {
      for (const mark of marks) this.#seen.delete(mark);
      const reason = reasonOf(error);
      this.#deps.log.error("changes of a session's list not held", { upstream: gateway.name, reason });
    });
  }

  async #hold(
    { id, name }: GatewayRow,
    kind: EntryKind,
    entries: readonly DiscoveredEntry[],
  ): Promise<void> {
    const holding = await this.#deps.registry.holdForSession(id, kind, entries);
    this.report(name, holding);
    if (holding.held.length > 0) await this.#deps.catalogChanged();
  }
}

/** The decisions about a gateway are forgotten when its approval is switched off, which changes its version. */
function markOf({ id, version }: GatewayRow, kind: EntryKind, key: string, text: string): string {
  return createHash("sha256").update(JSON.stringify([id, version, kind, key, text])).digest("base64url");
}
