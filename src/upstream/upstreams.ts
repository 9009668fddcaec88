// All registered upstreams of this worker, kept in step with the catalog.
import { SluiceError, toSluiceError } from "../base/errors.ts";
import type { GatewayRow } from "../store/store.ts";
import type { HttpClient } from "./http_client.ts";
import { HttpTransport, type UpstreamTarget } from "./http_transport.ts";
import { Upstream, type UpstreamSettings } from "./upstream.ts";

export interface UpstreamsDeps {
  readonly client: HttpClient;
  readonly settings: UpstreamSettings;
  readonly maxResponseBytes: number;
  /** Opens a row's sealed credentials; throws where they cannot be opened. */
  readonly targetOf: (row: GatewayRow) => Promise<UpstreamTarget>;
  readonly onUnusable: (row: GatewayRow, error: SluiceError) => void;
}

interface Entry {
  readonly fingerprint: string;
  readonly upstream: Upstream | SluiceError;
}

export class Upstreams {
  readonly #deps: UpstreamsDeps;
  #entries = new Map<string, Entry>();

  constructor(deps: UpstreamsDeps) {
    this.#deps = deps;
  }

  /** Take over a new catalog: an upstream whose address or credentials changed is made anew, the others stay warm. */
  async update(rows: readonly GatewayRow[]): Promise<void> {
    const entries = new Map<string, Entry>();
    for (const row of rows) {
      const fingerprint = JSON.stringify([
        row.name,
        row.url,
        row.authType,
        row.authSecret,
        row.caCertificate,
      ]);
      const known = this.#entries.get(row.id);
      entries.set(
        row.id,
        known?.fingerprint === fingerprint ? known : { fingerprint, upstream: await this.#make(row) },
      );
    }
    this.#entries = entries;
  }

  /** @throws {SluiceError} NOT_FOUND, or why its credentials cannot be used */
  get(gatewayId: string): Upstream {
    const upstream = this.#entries.get(gatewayId)?.upstream;
    if (upstream === undefined) throw new SluiceError("NOT_FOUND", { what: `Gateway ${gatewayId}` });
    if (upstream instanceof SluiceError) throw upstream;
    return upstream;
  }

  async #make(row: GatewayRow): Promise<Upstream | SluiceError> {
    const { client, settings, maxResponseBytes, targetOf, onUnusable } = this.#deps;
    try {
      return new Upstream(row.id, new HttpTransport(client, await targetOf(row), maxResponseBytes), settings);
    } catch (error) {
      const failure = toSluiceError(error);
      onUnusable(row, failure);
      return failure;
    }
  }
}
