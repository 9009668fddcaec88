// The table of commands: their flags, and the texts of their help.
import { BENCH_COMMANDS } from "../commands/bench_commands.ts";
import { type Command, type Flag, WHERE } from "../commands/command.ts";
import { FITNESS_COMMANDS } from "../commands/fitness_commands.ts";
import { LOG_COMMANDS } from "../commands/log_command.ts";
import { MOVING_COMMANDS } from "../commands/moving_commands.ts";
import { PEOPLE_COMMANDS } from "../commands/people_commands.ts";
import { TOKEN_COMMANDS } from "../commands/token_commands.ts";

export type { Command, Flag };

export const COMMANDS = {
  serve: {
    summary: "Run the gateway.",
    topic: "deploy",
    notes: [
      "With --mcp-config, the gateway may start the commands of FILE without STDIO_ENABLED. ${VAR} and ${input:VAR} in FILE are " +
      "variables of the gateway's environment.",
    ],
    examples: ["sluice serve", "sluice serve --mcp-config ~/.cursor/mcp.json"],
    flags: {
      demo: {
        doc: "start a demo upstream and register it if the catalog is empty; uses the development defaults",
      },
      dev: {
        doc: "use the development defaults: upstreams on localhost are allowed, at least two workers run, " +
          "the demo upstream is registered",
      },
      "mcp-config": {
        value: "FILE",
        doc:
          "register the servers of this configuration file of an MCP client, and follow its changes (MCP_CONFIG)",
      },
      takeover: {
        doc: "share the port with the gateway that serves it now; stop that gateway when this one is ready",
      },
      host: { value: "HOST", doc: "listen on this address (HOST)" },
      port: { value: "N", doc: "listen on this port (PORT)" },
      workers: { value: "N", doc: "number of workers, or auto (WORKERS)" },
    },
  },
  stdio: {
    summary: "Run as a stdio MCP server for a desktop client.",
    topic: "clients",
    notes: [
      "A desktop client starts this command, and talks to it over standard input and output. `sluice connect claude-desktop` prints " +
      "such an entry.",
      "With --url the command passes messages on to that gateway. Otherwise it runs a gateway of its own with the settings and the " +
      "database of its folder.",
    ],
    examples: [
      "sluice stdio",
      "sluice stdio --url http://127.0.0.1:4444 --token-file my.token",
    ],
    flags: {
      server: { value: "ID", doc: "serve this virtual server (default: everything)" },
      url: { value: "URL", doc: "connect to the gateway at this address instead of running one" },
      "token-file": {
        value: "FILE",
        doc: "file with the bearer token for --url (default: the variable SLUICE_TOKEN)",
      },
    },
  },
  import: {
    summary: "Register the servers of a client's configuration file.",
    topic: "upstreams",
    operand: "FILE",
    notes: [
      "FILE is a file of Claude Desktop, Claude Code, Cursor, Windsurf, Cline, Gemini CLI or VS Code, with `mcpServers` or " +
      "`servers`; comments are allowed. Each server is tried, and registered if it works. A second run registers what is new, " +
      "and changes what FILE has changed. Servers that FILE disables are registered switched off, and not started.",
      "Variables such as ${TOKEN} and ${env:TOKEN} have their values in this command's environment. The command names those " +
      "without a value; give them by --input.",
      "The gateway must be running. Run this command in its folder, or name its address and a token of an administrator.",
    ],
    examples: [
      "sluice import ~/.cursor/mcp.json",
      "sluice import .vscode/mcp.json --input github_token",
    ],
    flags: {
      input: {
        value: "NAME[=VALUE]",
        isRepeated: true,
        doc:
          "value of the variable NAME, as in ${input:NAME}; without =VALUE it comes from the environment variable NAME; " +
          "may be repeated",
      },
      "tool-approval": {
        value: "MODE",
        doc:
          "off, changed or all: which changes of the new upstreams wait for an approval (default: TOOL_APPROVAL)",
      },
      "dry-run": { doc: "say what would be registered, and register nothing" },
      json: { doc: "print the report as JSON" },
      url: { value: "URL", doc: "address of the gateway (default: the one of this folder)" },
      "token-file": {
        value: "FILE",
        doc: "file with the bearer token for --url (default: the variable SLUICE_TOKEN)",
      },
    },
  },
  ...MOVING_COMMANDS,
  connect: {
    summary: "Connect an MCP client: print or write its configuration.",
    topic: "clients",
    operand: "CLIENT",
    isOperandOptional: true,
    notes: [
      "Without CLIENT the command lists the clients: Claude Code, Claude Desktop, VS Code, Cursor, Windsurf, Codex, Gemini CLI, " +
      "opencode, the MCP Inspector, mcp-remote, curl, Python and TypeScript.",
      "The configuration holds a new token, which is no administrator's and shows public entries. Run this command in the " +
      "gateway's folder, or give a token by --token-file.",
      "With --login it holds none: the client opens a browser, and a person logs in and allows it. The gateway needs users for " +
      "that, or single sign-on; see `sluice help oauth`.",
    ],
    examples: [
      "sluice connect cursor",
      "sluice connect claude-code --server clock --write",
      "sluice connect vscode --login --url https://gateway.example.com",
    ],
    flags: {
      server: {
        value: "ID",
        doc: "connect to this virtual server, and limit the token to it (default: everything)",
      },
      write: {
        doc: "write the entry into the client's file; the rest of the file stays, and a copy of it is kept",
      },
      file: { value: "FILE", doc: "the client's file, where it is another one than usual" },
      name: { value: "NAME", doc: "name of the entry (default: the virtual server's id, or sluice)" },
      url: { value: "URL", doc: "address of the gateway as the client reaches it (default: this machine's)" },
      login: { doc: "without a token: the client logs in with a browser" },
      "token-file": { value: "FILE", doc: "file with the token to use instead of a new one" },
      username: { value: "EMAIL", doc: "the person that the token is for (default: this user at localhost)" },
      exp: {
        value: "MINUTES",
        max: 100 * 365 * 24 * 60,
        doc: "lifetime of the token (default: 43200, 30 days); 0: no expiry",
      },
      teams: { value: "A,B", doc: "let the token show entries of these team ids besides public ones" },
    },
  },
  token: {
    summary: "Print a bearer token for the gateway.",
    topic: "tokens",
    notes: [
      "Run this command in the gateway's folder, or with the gateway's DATABASE_URL or JWT_SECRET_KEY.",
    ],
    examples: [
      "sluice token --admin",
      "sluice token --username ann@example.com --server clock --exp 10080",
    ],
    flags: {
      username: { value: "EMAIL", doc: "the person that the token is for (default: PLATFORM_ADMIN_EMAIL)" },
      name: { value: "TEXT", doc: "that person's name" },
      exp: {
        value: "MINUTES",
        max: 100 * 365 * 24 * 60,
        doc: "lifetime of the token (default: 60); 0: no expiry",
      },
      admin: { doc: "make the person an administrator, who may change the registry" },
      teams: {
        value: "A,B",
        doc: "show entries of these team ids besides public ones; none: public entries only; null: all " +
          "entries, for administrators (default: null with --admin, otherwise none)",
      },
      server: { value: "ID", doc: "limit the token to this virtual server" },
      permissions: {
        value: "A,B",
        doc: "limit the token to these permissions, for example tools.read,tools.execute",
      },
      secret: { value: "SECRET", doc: "sign with this key instead of the gateway's" },
    },
  },
  "token revoke": {
    summary: "Revoke a token on every worker and replica.",
    topic: "tokens",
    operand: "TOKEN|JTI",
    isOperandOptional: true,
    notes: [
      "TOKEN is checked before it is revoked: it must be complete and signed by this gateway.",
      "JTI is the id of a token, which `sluice token` shows in the terminal.",
      "With - the command reads one of the two from standard input.",
      "With --user it revokes all tokens that the user has got until now. New ones work.",
    ],
    flags: {
      user: { value: "EMAIL", doc: "revoke every token of this user, instead of one" },
      reason: { value: "TEXT", doc: "the reason, for the list of revoked tokens" },
    },
  },
  ...TOKEN_COMMANDS,
  ...PEOPLE_COMMANDS,
  "keys rotate": {
    summary: "Make a new key for tokens, beside the former one.",
    topic: "tokens",
    notes: [
      "Run this command in the gateway's folder. The gateway takes the new key within seconds. Tokens of the former key stay valid " +
      "until they expire, or until the next rotation.",
      "The key must be the one that the first start has made. A JWT_SECRET_KEY or a key pair of your own is yours to replace; " +
      "the command says how.",
    ],
    flags: {
      now: { doc: "refuse the tokens of the former keys, for a key that strangers know" },
    },
  },
  "audit verify": {
    summary: "Check that no record of the audit trail was changed or removed.",
    topic: "audit",
    notes: [
      WHERE + " The exit code is 1 if the chain is broken.",
      "Whoever can write the database can make a whole new chain. Keep the head that the command prints elsewhere, and give it with " +
      "--noted at the next check.",
    ],
    examples: ["sluice audit verify"],
    flags: {
      noted: {
        value: "NUMBER:HASH",
        doc: "a head that an earlier check has printed; it must still be in the chain",
      },
    },
  },
  "audit export": {
    summary: "Print the audit trail as JSON lines, the oldest record first.",
    topic: "audit",
    notes: [WHERE],
    examples: ["sluice audit export > audit.jsonl"],
    flags: {
      after: {
        value: "NUMBER",
        max: 999_999_999,
        doc: "only records after this one, for example the last one of the export before",
      },
    },
  },
  "tools held": {
    summary: "Show changes of upstreams that wait for an approval.",
    topic: "approval",
    notes: [
      "Hidden characters are shown as \\u{200B}. The gateway must be running. Run this command in its folder, or name its address and a " +
      "token of an administrator.",
    ],
    examples: ["sluice tools held", "sluice tools held --gateway docs"],
    flags: {
      gateway: { value: "NAME", doc: "only changes of this upstream" },
      json: { doc: "print the changes as JSON" },
      url: { value: "URL", doc: "address of the gateway (default: the one of this folder)" },
      "token-file": {
        value: "FILE",
        doc: "file with the bearer token for --url (default: the variable SLUICE_TOKEN)",
      },
    },
  },
  "tools approve": {
    summary: "Offer changes of upstreams that wait for an approval.",
    topic: "approval",
    operand: "HASH",
    isOperandRepeated: true,
    notes: [
      "HASH stands for a version as `sluice tools held` shows it. If the upstream has changed it since, nothing is approved.",
    ],
    flags: {
      gateway: { value: "NAME", doc: "the upstream, if several have a change of this hash" },
      url: { value: "URL", doc: "address of the gateway (default: the one of this folder)" },
      "token-file": {
        value: "FILE",
        doc: "file with the bearer token for --url (default: the variable SLUICE_TOKEN)",
      },
    },
  },
  "tools reject": {
    summary: "Keep changes of upstreams withheld until they change again.",
    topic: "approval",
    operand: "HASH",
    isOperandRepeated: true,
    notes: ["HASH stands for a version as `sluice tools held` shows it."],
    flags: {
      gateway: { value: "NAME", doc: "the upstream, if several have a change of this hash" },
      url: { value: "URL", doc: "address of the gateway (default: the one of this folder)" },
      "token-file": {
        value: "FILE",
        doc: "file with the bearer token for --url (default: the variable SLUICE_TOKEN)",
      },
    },
  },
  ...LOG_COMMANDS,
  backup: {
    summary: "Copy the database and the secrets into one file.",
    topic: "backup",
    operand: "FILE",
    notes: [
      WHERE,
      "FILE holds the registry, the revoked tokens, the open sessions and the secrets file; only its owner may read it. Settings are " +
      "not in it. For a PostgreSQL database, the command prints the pg_dump command to use instead and exits with 1.",
    ],
    examples: ["sluice backup /backups/sluice.db"],
    flags: {
      force: { doc: "replace FILE if it exists" },
    },
  },
  restore: {
    summary: "Restore a backup in the place of the database and the secrets.",
    topic: "backup",
    operand: "FILE",
    notes: [
      "Stop the gateway first. FILE is checked before anything is changed. For a PostgreSQL database, the command prints the " +
      "commands of its own tools and exits with 1.",
    ],
    examples: ["sluice restore /backups/sluice.db --force"],
    flags: {
      force: { doc: "replace the database and the secrets that are there" },
    },
  },
  config: {
    summary: "Show every setting with its value and its source.",
    topic: "settings",
    flags: {
      json: { doc: "print JSON" },
      dev: { doc: "show the development defaults of `serve --dev`" },
    },
  },
  health: {
    summary: "Ask a running gateway whether it works.",
    topic: "deploy",
    notes: [
      "The exit code is 0 if the gateway answers that it is well, else 1. Without --url the gateway of this folder is asked. No token is " +
      "needed.",
    ],
    examples: ["sluice health", "sluice health --ready --url http://127.0.0.1:4444"],
    flags: {
      ready: { doc: "ask whether requests can be served: the database and Redis answer" },
      url: { value: "URL", doc: "the address of the gateway" },
    },
  },
  ...FITNESS_COMMANDS,
  ...BENCH_COMMANDS,
  demo: {
    summary: "Run the demo upstream alone: an MCP server that tells the time.",
    flags: {
      host: { value: "HOST", doc: "listen on this address (default: 127.0.0.1)" },
      port: { value: "N", max: 65_535, doc: "listen on this port; 0: any free one (default: 9000)" },
    },
  },
  help: {
    summary: "Read the manual: a topic, a command, or a search.",
    operand: "TOPIC",
    isOperandOptional: true,
    isOperandRepeated: true,
    notes: [
      "TOPIC is a topic, a section of one (TOPIC#SECTION), or a command. In a terminal, the text is shown by $PAGER, or less.",
    ],
    examples: ["sluice help tokens", "sluice help token revoke", "sluice help --search certificate"],
    flags: {
      list: { doc: "list all topics" },
      search: { value: "WORD", doc: "find WORD, and the words that follow, in all topics" },
    },
  },
  "metrics alerts": {
    summary: "Print alert rules for Prometheus.",
    topic: "metrics",
    examples: ["sluice metrics alerts > /etc/prometheus/sluice-alerts.yml"],
    flags: {},
  },
  "metrics dashboard": {
    summary: "Print a dashboard for Grafana.",
    topic: "metrics",
    examples: ["sluice metrics dashboard > sluice.json"],
    flags: {},
  },
  version: {
    summary: "Show version, commit, Deno and protocol revisions.",
    flags: {},
  },
} as const satisfies Record<string, Command>;

export type CommandName = keyof typeof COMMANDS;

/** The commands of two words that begin with `word`. */
export function commandsAfter(word: string): CommandName[] {
  return (Object.keys(COMMANDS) as CommandName[]).filter((name) => name.startsWith(`${word} `));
}
