// Keeps the registry in step with what upstreams offer: asks one again, saves what it found, tells everybody.
import type { Clock } from "../base/clock.ts";
import { isError, reasonOf, SluiceError } from "../base/errors.ts";
import type { DiscoveryKinds, DiscoverySaved, Naming } from "../store/registry/save_discovery.ts";
import type { Registry } from "../store/registry/registry.ts";
import type { Discovery, GatewayRow } from "../store/registry/rows.ts";
import type { Log } from "../telemetry/log.ts";
import { CoalescingQueue } from "./coalescing_queue.ts";

export interface CatalogSyncDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
  readonly naming: Naming;
  /** Connects as the row says and lists every page. @throws {SluiceError} UPSTREAM_*, EGRESS_DENIED, SECRET_UNREADABLE */
  readonly discover: (row: GatewayRow) => Promise<Discovery>;
  /** Resolves when every worker of this replica has the new catalog. */
  readonly catalogChanged: () => Promise<void>;
  readonly countRefresh: (result: "changed" | "unchanged" | "failed") => void;
}

/** Refreshes at once in this worker: each may hold connections, and the memory of its lists. */
const MAX_AT_ONCE = 10;

/** A gateway that is changed again and again while it is being asked is left to whoever changes it. */
const MAX_TRIES = 3;

/**
 * Each worker refreshes for itself what it is told of. Where two refresh the same gateway, neither overwrites the other's
 * newer findings: a discovery is saved only on the row that it began with, else made again; and the second one finds
 * nothing new, which costs no worker anything.
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
   * Ask the gateway what it offers now, and save it. What is under way already may have asked too early, so this waits for
   * it and asks once more; all that come meanwhile share that. A failure is kept with the gateway for who looks later.
   * @throws {SluiceError} NOT_FOUND; CONFLICT where others keep changing the gateway; why the upstream could not be asked
   */
  refresh(gatewayId: string, kinds: DiscoveryKinds = ALL_KINDS): Promise<DiscoverySaved> {
    return this.#queue.ask(gatewayId, kinds);
  }

  /**
   * The upstream said that its lists have changed. The first such word starts a refresh at once, a burst of them one more;
   * an upstream that never stops saying so is asked ever more rarely, every five seconds at last. Any worker may call it.
   * @returns was there anything new?
   */
  async listChanged(gatewayId: string): Promise<boolean> {
    // A failure is in the log by now.
    const saved = await this.#queue.ask(gatewayId, ALL_KINDS, { isGentle: true }).catch(() => null);
    return saved?.isNews === true;
  }

  /** Nothing more is begun; what waits is refused. */
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
          countRefresh(saved.isNews ? "changed" : "unchanged");
          if (saved.isNews) {
            for (const { kind, name, reason } of saved.skipped) {
              log.warning("not taken from upstream", { upstream: row.name, kind, name, reason });
            }
            await catalogChanged();
          }
          return saved;
        }
        if (tries === MAX_TRIES) {
          throw new SluiceError("CONFLICT", {
            reason: `Gateway "${row.name}" was changed during the refresh`,
          });
        }
      } catch (error) {
        countRefresh("failed");
        log.warning("upstream not refreshed", { upstream: row.name, reason: reasonOf(error) });
        await this.#keepError(row, error);
        throw error;
      }
    }
  }

  /** @returns null where the gateway was changed meanwhile: what was found may be another's, or old */
  async #discoverAndSave(row: GatewayRow, kinds: DiscoveryKinds): Promise<DiscoverySaved | null> {
    const { registry, discover, naming } = this.#deps;
    const found = await discover(row);
    return await registry.transaction(async (store) => {
      const now = await store.gateways.get(row.id);
      if (now === null) throw new SluiceError("NOT_FOUND", { what: `Gateway ${row.id}` });
      return now.version === row.version ? await store.saveDiscovery(row.id, found, naming, kinds) : null;
    });
  }

  async #keepError(row: GatewayRow, error: unknown): Promise<void> {
    if (!(error instanceof SluiceError)) return;
    if (error.row.source !== "upstream" && !isError(error, "EGRESS_DENIED")) return;
    await this.#deps.registry.saveHealth(row, { lastError: error.message }).catch((failure) =>
      this.#deps.log.error("refresh failure not noted", { error: failure })
    );
  }
}

const ALL_KINDS: DiscoveryKinds = { tools: true, resources: true, prompts: true };
