// The stored record of a session. It outlives the session's worker.
import type { SessionRevision } from "../../mcp/revisions.ts";
import type { ClientPreferences } from "../../upstream/client/client_state.ts";

export interface PersistedSession {
  readonly revision: SessionRevision;
  readonly clientInfo: unknown;
  /** As declared by the client, as JSON text. */
  readonly clientCapabilities: string;
  /** The client's preferences. The name is that of stored records, which a newer version must still read. */
  readonly wishes?: ClientPreferences;
  /** Ids of upstreams with worker-local state for the session; absent: none. The name is that of stored records. */
  readonly attachedTo?: readonly string[];
}
