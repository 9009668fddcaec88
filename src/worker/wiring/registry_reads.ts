// Cache of registry reads; an entry is valid for one version of the registry.
import type { Config } from "../../config/schema.ts";
import { ResponseCache } from "../../http/representation/response_cache.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { Metrics } from "../../telemetry/metrics.ts";

/** Per worker. The list of 10,000 tools takes about 8 MiB. */
const MAX_ENTRIES = 1_000;
const MAX_BYTES = 32 * 1024 * 1024;

/** @returns null if the settings switch the cache off */
export function createResponseCache(
  config: Config,
  registry: Pick<Registry, "readCatalogVersion">,
  metrics: Metrics,
): ResponseCache | null {
  if (!config.registryCacheEnabled || config.cacheType === "none") return null;
  const count = metrics.counter("sluice_response_cache_answers_total");
  const cache = new ResponseCache({
    version: () => registry.readCatalogVersion(),
    maxEntries: MAX_ENTRIES,
    maxBytes: MAX_BYTES,
    count,
  });
  metrics.gauge("sluice_response_cache_entries", () => cache.size);
  metrics.gauge("sluice_response_cache_bytes", () => cache.bytes);
  return cache;
}
