// The command `sluice import contextforge`: its flags, the texts of its help, and its arguments.
import type { Command, GivenFlags } from "./command.ts";

export const MOVING_COMMANDS = {
  "import contextforge": {
    summary: "Move in from ContextForge: take what its database has.",
    topic: "contextforge",
    operand: "DATABASE_URL",
    notes: [
      "DATABASE_URL is ContextForge's, or the path of its SQLite file. Nothing in it is changed, and ContextForge may run meanwhile.",
      "Without --apply the command says what it would take, change and leave out, and why. With --apply it does so in one " +
      "transaction. A second run changes nothing.",
      "Run this command in the gateway's folder, or with the gateway's DATABASE_URL, which must be another database. The gateway may " +
      "run meanwhile.",
    ],
    examples: [
      "sluice import contextforge mcp.db",
      "sluice import contextforge postgresql://user:password@host/mcp --apply",
    ],
    flags: {
      apply: { doc: "import, after a run without this flag has shown what that means" },
      conflict: {
        value: "WORD",
        doc:
          "what to do with an entry whose name or id is here with other values: skip it (default), update what is here, " +
          "rename it, or fail and import nothing",
      },
      "secret-file": {
        value: "FILE",
        doc: "file with ContextForge's AUTH_ENCRYPTION_SECRET (default: this gateway's setting of that name)",
      },
      json: { doc: "print the report as JSON" },
    },
  },
} as const satisfies Readonly<Record<string, Command>>;

export interface ImportContextForgeArgs {
  /** The URL of ContextForge's database, or the path of its file. */
  readonly source: string;
  readonly apply: boolean;
  /** As given. */
  readonly conflict: string;
  /** The file with ContextForge's AUTH_ENCRYPTION_SECRET; null: the gateway's own setting. */
  readonly secretFile: string | null;
  readonly json: boolean;
}

export interface MovingInvocation {
  readonly command: "import contextforge";
  readonly args: ImportContextForgeArgs;
}

export function movingInvocation({ text, has }: GivenFlags): MovingInvocation {
  const command = "import contextforge";
  const args = {
    source: text(MOVING_COMMANDS[command].operand)!,
    apply: has("apply"),
    conflict: text("conflict") ?? "skip",
    secretFile: text("secret-file"),
    json: has("json"),
  };
  return { command, args };
}
