// List changes that an upstream announces: the gateway reads the upstream's lists again, and tells every client that is shown them.
import type { UpstreamChange } from "../../downstream/client/list_changes.ts";

export interface ListAnnouncementsDeps {
  /** Reads the upstream's lists. @returns true for a change: then the new catalog has told all clients. Never rejects */
  readonly refresh: (gatewayId: string) => Promise<boolean>;
  /** Tells all workers of a change that the catalog does not show. The upstream's word counts. */
  readonly announce: (change: UpstreamChange) => Promise<unknown>;
}

export class ListAnnouncements {
  readonly #deps: ListAnnouncementsDeps;
  /** Changes that wait for their refresh: a hundred sessions may receive one change, and it is announced once. */
  readonly #pending = new Set<string>();

  constructor(deps: ListAnnouncementsDeps) {
    this.#deps = deps;
  }

  async listChanged(gatewayId: string, method: string): Promise<void> {
    const key = `${gatewayId} ${method}`;
    if (this.#pending.has(key)) return;
    this.#pending.add(key);
    const isNews = await this.#deps.refresh(gatewayId);
    this.#pending.delete(key);
    if (!isNews) await this.#deps.announce({ gatewayId, method });
  }
}
