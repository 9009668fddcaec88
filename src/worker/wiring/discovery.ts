// How this worker reads what an upstream offers, and counts what was wrong with it.
import { isError, reasonOf, SluiceError } from "../../base/errors.ts";
import type { Config } from "../../config/schema.ts";
import type { Discovery } from "../../store/registry/rows.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { discover, type KnownRevisions } from "../../upstream/discover.ts";
import type { TransportTarget } from "../../upstream/transports.ts";
import type { Outbound } from "./outbound.ts";

/** @throws {SluiceError} UPSTREAM_* */
export type Discover = (
  target: TransportTarget,
  known: KnownRevisions,
  trial?: Trial,
) => Promise<Discovery>;

export interface Trial {
  /** The target's streamable HTTP is a guess: SSE is tried if the upstream does not speak it. */
  readonly isTransportOpen?: boolean;
  /** Called when the upstream has introduced itself, and is asked for its lists. */
  readonly onListing?: () => void;
}

/** What a server of the SSE transport answers to a POST, as it is the first try (2025-11-25, transports, "Backwards Compatibility"). */
const NO_STREAMABLE_HTTP: ReadonlySet<unknown> = new Set([400, 404, 405, 406, 410, 415, 422, 501]);

export function createDiscover(
  config: Config,
  metrics: Metrics,
  { clientInfo, transports }: Pick<Outbound, "clientInfo" | "transports">,
): Discover {
  const count = metrics.counter("sluice_upstream_list_faults_total");
  const options = {
    clientInfo,
    timeoutMs: config.mcpSessionPoolTransportTimeoutMs,
    stdioStart: { ms: config.stdioStartTimeoutMs, setting: "STDIO_START_TIMEOUT" },
    limits: { maxEntries: config.maxUpstreamListEntries, maxBytes: config.maxUpstreamListBytes },
  };
  return async (target, { protocol, protocols, serverInfo }, { isTransportOpen = false, onListing } = {}) => {
    const known = { protocol, protocols, serverInfo };
    const list = (each: TransportTarget) => discover(transports.make(each), { ...options, onListing }, known);
    try {
      const found = await (isTransportOpen ? listEither(target, list) : list(target));
      for (const { name } of found.warnings) {
        count(name === null ? "failed" : name === "" ? "undeclared" : "repaired");
      }
      for (const _ of found.skipped) count("skipped");
      return found;
    } catch (error) {
      if (isError(error, "UPSTREAM_LIST_TOO_LARGE")) count("too_large");
      throw error;
    }
  };
}

/**
 * Tries streamable HTTP, then SSE. A failure of both is reported as the first, with what was answered to it and the reason of the
 * second.
 */
async function listEither(
  target: TransportTarget,
  list: (target: TransportTarget) => Promise<Discovery>,
): Promise<Discovery> {
  try {
    return await list(target);
  } catch (error) {
    if (!isOtherTransport(error)) throw error;
    try {
      return { ...await list({ ...target, transport: "SSE" }), transport: "SSE" };
    } catch (second) {
      const reason = `${error.params.reason}; and over SSE: ${reasonOf(second)}`;
      throw new SluiceError(error.code, { ...error.params, reason }, { cause: error.cause });
    }
  }
}

/** Does the failure say that the upstream is reachable, but speaks no streamable HTTP at this address? */
function isOtherTransport(error: unknown): error is SluiceError {
  if (isError(error, "UPSTREAM_HTTP_ERROR")) return NO_STREAMABLE_HTTP.has(error.params.status);
  return isError(error, "UPSTREAM_PROTOCOL_ERROR");
}
