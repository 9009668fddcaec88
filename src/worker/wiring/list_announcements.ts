// An upstream says that one of its lists has changed: it is asked what it has now, and every client that shows it hears of it.
import type { UpstreamChange } from "../../downstream/client/list_changes.ts";

export interface ListAnnouncementsDeps {
  /** Asks the upstream again. @returns was there anything new? Then the new catalog has told everybody. Never rejects */
  readonly refresh: (gatewayId: string) => Promise<boolean>;
  /** Tells all workers of a change that the catalog does not show: an upstream knows its lists better than we do. */
  readonly announce: (change: UpstreamChange) => Promise<unknown>;
}

export class ListAnnouncements {
  readonly #deps: ListAnnouncementsDeps;
  /** What waits for its refresh: a hundred sessions that hear of one change cause one word of it. */
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
