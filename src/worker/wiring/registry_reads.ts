// Cache of registry reads and pages; an entry is valid for one version of the registry.
import type { Clock } from "../../base/clock.ts";
import type { LiveCatalog } from "../../catalog/live_catalog.ts";
import type { Config } from "../../config/schema.ts";
import { ResponseCache } from "../../http/representation/response_cache.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { Metrics } from "../../telemetry/metrics.ts";

const MIB = 1024 * 1024;

export interface ResponseCaches {
  /** null: reads of the registry are not kept. */
  readonly reads: ResponseCache | null;
  /** null: pages are not kept. */
  readonly pages: { readonly pages: ResponseCache; readonly freshMs: number } | null;
}

/** Both in one cache, so that they share the memory. */
export function createResponseCaches(
  config: Config,
  { registry, catalog, clock, metrics }: {
    readonly registry: Pick<Registry, "readCatalogVersion">;
    readonly catalog: Pick<LiveCatalog, "refresh">;
    readonly clock: Clock;
    readonly metrics: Metrics;
  },
): ResponseCaches {
  const { registryCacheEnabled, responseCacheTtlMs: freshMs } = config;
  if (config.cacheType === "none") return { reads: null, pages: null };
  const count = metrics.counter("sluice_response_cache_answers_total");
  const cache = new ResponseCache({
    // Answers are also made from this worker's catalog. With another one than the database had, nothing may be kept.
    version: async () => {
      const version = await registry.readCatalogVersion();
      return await catalog.refresh(version) === version ? version : null;
    },
    clock,
    maxBytes: config.responseCacheMaxMb * MIB,
    count,
  });
  metrics.gauge("sluice_response_cache_entries", () => cache.size);
  metrics.gauge("sluice_response_cache_bytes", () => cache.bytes);
  return {
    reads: registryCacheEnabled ? cache : null,
    pages: freshMs > 0 ? { pages: cache, freshMs } : null,
  };
}
