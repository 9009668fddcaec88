// The protocol revisions that we speak, and how a peer's wish becomes one of them.

/** Newest first. */
export const LEGACY_REVISIONS = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] as const;

export type Revision = typeof LEGACY_REVISIONS[number];

export const LATEST_LEGACY_REVISION: Revision = LEGACY_REVISIONS[0];

/** What a request without an MCP-Protocol-Version header speaks (2025-06-18 and later, transports, "Protocol Version Header"). */
export const ASSUMED_REVISION: Revision = "2025-03-26";

/** The only revision with JSON-RPC batches. */
export const BATCH_REVISION: Revision = "2025-03-26";

export function isRevision(value: unknown): value is Revision {
  return (LEGACY_REVISIONS as readonly unknown[]).includes(value);
}

/** The revision that an `initialize` answer names: the client's where we speak it, else our newest (lifecycle, "Version Negotiation"). */
export function negotiateRevision(requested: unknown): Revision {
  return isRevision(requested) ? requested : LATEST_LEGACY_REVISION;
}

/** The revision without sessions: every request says for itself what it needs said. */
export const MODERN_REVISION = "2026-07-28";

/** Every revision that a client or an upstream may speak. */
export type AnyRevision = Revision | typeof MODERN_REVISION;

/** What a 2026-07-28 request says of itself in `_meta`, and a result of its server. */
export const META = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  logLevel: "io.modelcontextprotocol/logLevel",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
} as const;
