// Updates the registry from what upstreams offer: runs discovery, saves the result, and announces the change.
import type { Clock } from "../base/clock.ts";
import { isError, SluiceError } from "../base/errors.ts";
import { operatorText } from "../base/seen_answer.ts";
import type { DiscoveryKinds, DiscoverySaved, Naming } from "../store/registry/save_discovery.ts";
import type { Holding } from "../store/approvals/approvals.ts";
import type { Registry } from "../store/registry/registry.ts";
import type { Discovery, GatewayRow } from "../store/registry/rows.ts";
import type { Log } from "../telemetry/log.ts";
import { logListFaults } from "./list_faults.ts";
import { CoalescingQueue } from "./coalescing_queue.ts";

export interface CatalogSyncDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
  readonly naming: Naming;
  /** Runs discovery for the row. @throws {SluiceError} UPSTREAM_*, EGRESS_DENIED, SECRET_UNREADABLE */
  readonly discover: (row: GatewayRow) => Promise<Discovery>;
  /** Resolves when every worker of this replica has the new catalog. */
  readonly catalogChanged: () => Promise<void>;
  /** Tells of changes that wait for an approval since now. */
  readonly onHeld: (upstream: string, holding: Holding) => void;
  readonly countRefresh: (result: "changed" | "unchanged" | "failed") => void;
}

/** Limit of parallel refreshes per worker. Each may hold connections and the memory of its lists. */
const MAX_AT_ONCE = 10;

/** Limit of repetitions while others change the gateway. */
const MAX_TRIES = 3;

/**
 * Workers refresh independently. A discovery is saved only if the row has not changed since, else it is repeated. Therefore
 * no refresh overwrites newer results, and a second one that finds nothing new changes nothing.
 */
export class CatalogSync {
  readonly #deps: CatalogSyncDeps;
  readonly #queue: CoalescingQueue<DiscoveryKinds, DiscoverySaved>;

  constructor(deps: CatalogSyncDeps) {
    this.#deps = deps;
    this.#queue = new CoalescingQueue({
      clock: deps.clock,
      maxAtOnce: MAX_AT_ONCE,
      run: (gatewayId, kinds) => this.#refresh(gatewayId, kinds),
      merge: (one, other) => ({
        tools: one.tools || other.tools,
        resources: one.resources || other.resources,
        prompts: one.prompts || other.prompts,
      }),
    });
  }

  /**
   * Discovers and saves what the gateway offers. A running refresh may have started too early, so this waits for it and
   * starts another, which all callers in between share. A failure is stored with the gateway.
   * @throws {SluiceError} NOT_FOUND; CONFLICT if others keep changing the gateway; the failure of the discovery
   */
  refresh(gatewayId: string, kinds: DiscoveryKinds = ALL_KINDS): Promise<DiscoverySaved> {
    return this.#queue.ask(gatewayId, kinds);
  }

  /**
   * Refreshes after a list-change notification. The first notification starts a refresh at once; a burst adds one more. Under
   * constant notifications the pauses grow to five seconds. Any worker may call it.
   */
  listChanged(gatewayId: string): void {
    // The failure has been logged.
    this.#queue.ask(gatewayId, ALL_KINDS, { isGentle: true }).catch(() => {});
  }

  /** Starts no more refreshes; waiting ones fail. */
  close(): void {
    this.#queue.close();
  }

  async #refresh(gatewayId: string, kinds: DiscoveryKinds): Promise<DiscoverySaved> {
    const { registry, log, catalogChanged, countRefresh } = this.#deps;
    for (let tries = 1;; tries++) {
      const row = await registry.gateways.get(gatewayId);
      if (row === null) throw new SluiceError("NOT_FOUND", { what: `Gateway ${gatewayId}` });
      try {
        const saved = await this.#discoverAndSave(row, kinds);
        if (saved !== null) {
          countRefresh(saved.hasChanges ? "changed" : "unchanged");
          this.#deps.onHeld(row.name, saved.holding);
          if (isNews(row, saved)) logListFaults(log, row.name, saved);
          if (saved.hasChanges) await catalogChanged();
          return saved;
        }
        if (tries === MAX_TRIES) {
          throw new SluiceError("CONFLICT", {
            reason: `Gateway "${row.name}" was changed during the refresh`,
          });
        }
      } catch (error) {
        countRefresh("failed");
        // The failure of a pending registration is logged with the next try (PendingRegistrations).
        if (row.registration === null) {
          log.warning("upstream not refreshed", { upstream: row.name, reason: operatorText(error) });
        }
        await this.#keepError(row, error);
        throw error;
      }
    }
  }

  /** @returns null if the gateway was changed meanwhile: the result may be outdated or another upstream's */
  async #discoverAndSave(row: GatewayRow, kinds: DiscoveryKinds): Promise<DiscoverySaved | null> {
    const { registry, discover, naming, log } = this.#deps;
    const found = await discover(row);
    if (found.protocols.join() !== row.protocols.join()) {
      const [before, after] = [row.protocols.join(", "), found.protocols.join(", ")];
      log.info("upstream revisions changed", { upstream: row.name, before, after });
    }
    return await registry.transaction(async (store) => {
      const now = await store.gateways.get(row.id);
      if (now === null) throw new SluiceError("NOT_FOUND", { what: `Gateway ${row.id}` });
      return now.version === row.version ? await store.saveDiscovery(row.id, found, naming, kinds) : null;
    });
  }

  async #keepError(row: GatewayRow, error: unknown): Promise<void> {
    if (!(error instanceof SluiceError)) return;
    const isDenied = isError(error, "EGRESS_DENIED") || isError(error, "COMMAND_DENIED");
    if (error.row.source !== "upstream" && !isDenied) return;
    await this.#deps.registry.saveHealth(row, { lastError: operatorText(error) }).catch((failure) =>
      this.#deps.log.error("refresh failure not saved", { error: failure })
    );
  }
}

/** Faults that the former refresh found too are not logged again. */
function isNews({ skipped, listWarnings }: GatewayRow, saved: DiscoverySaved): boolean {
  return JSON.stringify([skipped, listWarnings]) !== JSON.stringify([saved.skipped, saved.warnings]);
}

const ALL_KINDS: DiscoveryKinds = { tools: true, resources: true, prompts: true };
