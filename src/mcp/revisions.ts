// The supported protocol revisions.

/** The revisions with sessions, newest first. */
export const SESSION_REVISIONS = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] as const;

export type SessionRevision = typeof SESSION_REVISIONS[number];

export const LATEST_SESSION_REVISION: SessionRevision = SESSION_REVISIONS[0];

/**
 * The revision of a request without MCP-Protocol-Version header (2025-06-18 and later, transports, "Protocol Version
 * Header").
 */
export const ASSUMED_REVISION: SessionRevision = "2025-03-26";

/** The only revision with JSON-RPC batches. */
export const BATCH_REVISION: SessionRevision = "2025-03-26";

export function isSessionRevision(value: unknown): value is SessionRevision {
  return (SESSION_REVISIONS as readonly unknown[]).includes(value);
}

/** The revision without sessions: each request carries the client's identity and capabilities. */
export const STATELESS_REVISION = "2026-07-28";

/** Every supported revision. */
export type AnyRevision = SessionRevision | typeof STATELESS_REVISION;

/** The `_meta` keys of 2026-07-28 requests and results. */
export const META = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  logLevel: "io.modelcontextprotocol/logLevel",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
} as const;
