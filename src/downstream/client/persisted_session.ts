// A session as its record keeps it: what outlives the worker that it belongs to.
import type { SessionRevision } from "../../mcp/revisions.ts";
import type { ClientPreferences } from "../../upstream/client/client_state.ts";

export interface PersistedSession {
  readonly revision: SessionRevision;
  readonly clientInfo: unknown;
  /** As the client declared them, JSON text. */
  readonly clientCapabilities: string;
  readonly wishes?: ClientPreferences;
  /** Upstreams that keep something for the session in a process or socket of its worker's, by id; absent: none. */
  readonly attachedTo?: readonly string[];
}
