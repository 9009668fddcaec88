// The headings of `sluice --help`, and the first words of the commands under each.

/** A first word that is no command by itself has a summary; the others have the one of their command. */
export const COMMAND_GROUPS: Readonly<Record<string, Readonly<Record<string, string | null>>>> = {
  "Run a gateway": { serve: null, stdio: null, health: null, logs: null, config: null },
  "Servers and clients": {
    import: null,
    connect: null,
    tools: "Decide which changes of upstreams are offered.",
    demo: null,
  },
  "Tokens and people": {
    token: null,
    user: "Manage users.",
    role: "Manage the roles of users.",
    keys: "Replace the keys that sign tokens.",
  },
  "Check, plan, measure": {
    doctor: null,
    tune: null,
    bench: null,
    metrics: "Print files for Prometheus and Grafana.",
  },
  "Back up and audit": { backup: null, restore: null, audit: "Check and export the audit trail." },
  "Learn more": { help: null, version: null },
};

/** The summary of a first word that needs a second one; null: there is no such word. */
export function groupSummary(word: string): string | null {
  return Object.values(COMMAND_GROUPS).map((words) => Object.hasOwn(words, word) ? words[word]! : null)
    .find((summary) => summary !== null) ?? null;
}
