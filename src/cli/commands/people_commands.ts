// The commands `sluice user …` and `sluice role …`: their flags, the texts of their help, and their arguments.
import { isEmailAddress } from "../../auth/logins/email_address.ts";
import { type Command, type GivenFlags, WHERE } from "./command.ts";

const LINK = "Give the link to the user. It works once.";

const SCOPE_FLAGS = {
  user: { value: "EMAIL", doc: "the user" },
  team: { value: "TEAM", doc: "in this team only, by its id or name (default: everywhere)" },
  server: { value: "ID", doc: "for this virtual server only" },
};

export const PEOPLE_COMMANDS = {
  "user list": {
    summary: "List the users.",
    topic: "users",
    notes: [WHERE],
    flags: { json: { doc: "print the users as JSON, in the format of the REST API" } },
  },
  "user add": {
    summary: "Add a user, and print a one-time link to set the password.",
    topic: "users",
    operand: "EMAIL",
    notes: [LINK, "With --admin this command makes an administrator, also when no other one is left.", WHERE],
    examples: ["sluice user add ann@example.com", "sluice user add ada@example.com --admin"],
    flags: {
      name: { value: "TEXT", doc: "the user's name" },
      admin: { doc: "make the user an administrator" },
    },
  },
  "user lock": {
    summary: "Deactivate a user: logins and all tokens are refused.",
    topic: "users",
    operand: "EMAIL",
    notes: ["One active administrator always remains.", WHERE],
    flags: {},
  },
  "user unlock": {
    summary: "Activate a user, and end a lock by wrong passwords.",
    topic: "users",
    operand: "EMAIL",
    notes: [WHERE],
    flags: {},
  },
  "user reset": {
    summary: "Print a one-time link with which a user sets a new password.",
    topic: "users",
    operand: "EMAIL",
    notes: [LINK + " The present password works until then.", WHERE],
    flags: {},
  },
  "user remove": {
    summary: "Delete a user, with the personal team and all memberships.",
    topic: "users",
    operand: "EMAIL",
    notes: ["One active administrator always remains. Entries of the user stay.", WHERE],
    flags: {},
  },
  "role list": {
    summary: "List the roles, or those of a user.",
    topic: "users",
    notes: [WHERE],
    flags: {
      user: { value: "EMAIL", doc: "list the roles that this user was assigned" },
      json: { doc: "print the list as JSON, in the format of the REST API" },
    },
  },
  "role grant": {
    summary: "Assign a role to a user.",
    topic: "users",
    operand: "ROLE",
    notes: ["A role in a team counts as long as the user is a member of the team.", WHERE],
    examples: [
      "sluice role grant platform_admin --user ada@example.com",
      "sluice role grant developer --user ann@example.com --until 2027-01-01",
    ],
    flags: {
      ...SCOPE_FLAGS,
      until: {
        value: "TIME",
        doc: "the role ends by itself then, for example 2027-01-01 or 2027-01-01T18:00:00Z",
      },
    },
  },
  "role revoke": {
    summary: "Take a role away from a user.",
    topic: "users",
    operand: "ROLE",
    notes: [WHERE],
    examples: ["sluice role revoke developer --user ann@example.com --team ops"],
    flags: SCOPE_FLAGS,
  },
} as const satisfies Readonly<Record<string, Command>>;

type PeopleCommand = keyof typeof PEOPLE_COMMANDS;

export interface UserListArgs {
  readonly json: boolean;
}

export interface UserArgs {
  readonly email: string;
  /** Of `user add`; null: not given. */
  readonly name: string | null;
  /** Of `user add`. */
  readonly admin: boolean;
}

export interface RoleListArgs {
  /** null: the roles themselves. */
  readonly user: string | null;
  readonly json: boolean;
}

export interface RoleArgs {
  /** A name or an id. */
  readonly role: string;
  readonly user: string;
  /** The id or name of a team; null: no team. */
  readonly team: string | null;
  /** The id of a virtual server; null: none. Without both, the role counts everywhere. */
  readonly server: string | null;
  /** Of `role grant`, ms since the epoch; null: until it is revoked. */
  readonly until: number | null;
}

export type PeopleInvocation =
  | { readonly command: "user list"; readonly args: UserListArgs }
  | { readonly command: Exclude<PeopleCommand, `role ${string}` | "user list">; readonly args: UserArgs }
  | { readonly command: "role list"; readonly args: RoleListArgs }
  | { readonly command: "role grant" | "role revoke"; readonly args: RoleArgs };

/** @returns the invocation, or the mistakes as sentences */
export function peopleInvocation(
  command: PeopleCommand,
  { text, has }: GivenFlags,
  nowMs: number,
): PeopleInvocation | readonly string[] {
  switch (command) {
    case "user list":
      return { command, args: { json: has("json") } };
    case "role list":
      return { command, args: { user: text("user"), json: has("json") } };
    case "role grant":
    case "role revoke": {
      const [user, team, server, until] = [text("user"), text("team"), text("server"), text("until")];
      const endsAt = until === null ? null : Date.parse(until);
      const mistakes = [
        ...(user === null ? ["--user is missing"] : []),
        ...(team !== null && server !== null ? ["--team and --server exclude each other"] : []),
        ...(endsAt !== null && !(endsAt > nowMs)
          ? [`--until must be a time in the future, for example 2027-01-01T18:00:00Z, not "${until}"`]
          : []),
      ];
      if (mistakes.length > 0) return mistakes;
      const role = text(PEOPLE_COMMANDS[command].operand)!;
      return { command, args: { role, user: user!, team, server, until: endsAt } };
    }
    default: {
      const email = text(PEOPLE_COMMANDS[command].operand)!;
      const isFit = command === "user add" ? isEmailAddress(email) : email.includes("@");
      if (!isFit) return [`EMAIL must be an email address, not "${email}"`];
      return { command, args: { email: email.toLowerCase(), name: text("name"), admin: has("admin") } };
    }
  }
}
