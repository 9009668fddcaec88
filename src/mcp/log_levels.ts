// The severities of log messages.

/** RFC 5424's severities, as MCP writes them (2025-11-25, logging, "Log Levels"). */
export const LOG_LEVELS: readonly unknown[] = [
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
];

/** The rank of a level; an unknown level ranks below all. */
export function rankOf(level: unknown): number {
  return LOG_LEVELS.indexOf(level);
}
