// The protocol revisions that we speak, and how a peer's wish becomes one of them.

/** Newest first. */
export const SESSION_REVISIONS = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] as const;

export type SessionRevision = typeof SESSION_REVISIONS[number];

export const LATEST_SESSION_REVISION: SessionRevision = SESSION_REVISIONS[0];

/** What a request without an MCP-Protocol-Version header speaks (2025-06-18 and later, transports, "Protocol Version Header"). */
export const ASSUMED_REVISION: SessionRevision = "2025-03-26";

/** The only revision with JSON-RPC batches. */
export const BATCH_REVISION: SessionRevision = "2025-03-26";

export function isSessionRevision(value: unknown): value is SessionRevision {
  return (SESSION_REVISIONS as readonly unknown[]).includes(value);
}

/** The revision that an `initialize` answer names: the client's where we speak it, else our newest (lifecycle, "Version Negotiation"). */
export function negotiateRevision(requested: unknown): SessionRevision {
  return isSessionRevision(requested) ? requested : LATEST_SESSION_REVISION;
}

/** The revision without sessions: every request says for itself what it needs said. */
export const STATELESS_REVISION = "2026-07-28";

/** Every revision that a client or an upstream may speak. */
export type AnyRevision = SessionRevision | typeof STATELESS_REVISION;

/** What a 2026-07-28 request says of itself in `_meta`, and a result of its server. */
export const META = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  logLevel: "io.modelcontextprotocol/logLevel",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
} as const;
