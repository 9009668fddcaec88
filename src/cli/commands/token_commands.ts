// The commands `sluice token create` and `sluice token list`: their flags, the texts of their help, and their arguments.
import { type Command, type GivenFlags, WHERE } from "./command.ts";

export const TOKEN_COMMANDS = {
  "token create": {
    summary: "Make an API token for a user, and print it.",
    topic: "tokens",
    notes: [
      "The gateway lists API tokens, counts their use, and can switch them off. It keeps a hash: the token is shown once.",
      "The token has the rights of the user, as far as the flags do not narrow them.",
      WHERE,
    ],
    examples: [
      "sluice token create --user ann@example.com --expires 30",
      "sluice token create --user ci@example.com --server clock --expires 90",
    ],
    flags: {
      user: { value: "EMAIL", doc: "the user who owns the token" },
      name: { value: "TEXT", doc: "the name of the token (default: the time of the command)" },
      team: { value: "TEAM", doc: "limit the token to this team of the user, by its id" },
      server: { value: "ID", doc: "limit the token to this virtual server" },
      permission: {
        value: "NAME",
        isRepeated: true,
        doc: "limit the token to this permission; the flag can be repeated",
      },
      ip: {
        value: "NETWORK",
        isRepeated: true,
        doc: "let clients of this address or network use the token only; the flag can be repeated",
      },
      expires: { value: "DAYS", max: 36_500, doc: "lifetime of the token in days" },
    },
  },
  "token list": {
    summary: "List the API tokens.",
    topic: "tokens",
    notes: [WHERE],
    flags: {
      user: { value: "EMAIL", doc: "list those of this user" },
      all: { doc: "list those that are switched off, revoked or expired too" },
      json: { doc: "print the tokens as JSON, in the format of the REST API" },
    },
  },
} as const satisfies Readonly<Record<string, Command>>;

type TokenCommand = keyof typeof TOKEN_COMMANDS;

export interface TokenCreateArgs {
  readonly user: string;
  /** null: the time of the command. */
  readonly name: string | null;
  readonly team: string | null;
  readonly server: string | null;
  readonly permissions: readonly string[];
  readonly networks: readonly string[];
  /** Days; null: not given. */
  readonly expires: number | null;
}

export interface TokenListArgs {
  /** null: of everybody. */
  readonly user: string | null;
  readonly all: boolean;
  readonly json: boolean;
}

export type TokenInvocation =
  | { readonly command: "token create"; readonly args: TokenCreateArgs }
  | { readonly command: "token list"; readonly args: TokenListArgs };

export function isTokenCommand(command: string): command is TokenCommand {
  return Object.hasOwn(TOKEN_COMMANDS, command);
}

/** @returns the invocation, or the mistakes as sentences */
export function tokenInvocation(
  command: TokenCommand,
  { text, texts, has }: GivenFlags,
): TokenInvocation | readonly string[] {
  const user = text("user");
  if (command === "token list") return { command, args: { user, all: has("all"), json: has("json") } };
  if (user === null) return ["--user is missing"];
  const days = text("expires");
  if (days === "0") return ["--expires must be at least one day"];
  return {
    command,
    args: {
      ...{ user, name: text("name"), team: text("team"), server: text("server") },
      permissions: texts("permission"),
      networks: texts("ip"),
      expires: days === null ? null : Number(days),
    },
  };
}
