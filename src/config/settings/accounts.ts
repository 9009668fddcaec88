// Settings of users, their logins, and their teams.
import { int, seconds, setting } from "./setting.ts";

export const ACCOUNT_SETTINGS = [
  setting({
    name: "TOKEN_EXPIRY",
    kind: int({ min: 5, max: 1_440, hint: "minutes" }),
    default: "480",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "How many minutes a login lasts.",
  }),
  setting({
    name: "LOGIN_ATTEMPTS_PER_MINUTE",
    kind: int({ min: 1, max: 10_000 }),
    default: "20",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Logins and changes of password that one address, and one account, may try in a minute. With " +
      "CACHE_TYPE=memory each worker counts for itself.",
  }),
  setting({
    name: "MAX_FAILED_LOGIN_ATTEMPTS",
    kind: int({ min: 0, max: 1_000, hint: "0: accounts are never locked" }),
    default: "5",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc:
      "Wrong passwords in a row that lock an account: for a minute at first, and twice as long with each " +
      "further wrong password. An administrator can unlock it.",
  }),
  setting({
    name: "ACCOUNT_LOCKOUT_DURATION_MINUTES",
    kind: int({ min: 1, max: 10_080, hint: "minutes" }),
    default: "60",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "The longest lock of an account.",
  }),
  setting({
    name: "FAILED_LOGIN_MIN_RESPONSE_MS",
    kind: int({ min: 0, max: 10_000, hint: "ms" }),
    default: "1000",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "A failed login is answered after this time at the earliest, whatever its reason.",
  }),
  setting({
    name: "PASSWORD_MIN_LENGTH_USER",
    kind: int({ min: 8, max: 128 }),
    default: "12",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "The least number of characters of a new password.",
  }),
  setting({
    name: "ADMIN_SETUP_TOKEN_TTL",
    kind: seconds({ min: 60, max: 604_800 }),
    default: "86400",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "How long the one-time token for the first administrator is valid. The start prints it if there are no users.",
  }),
  setting({
    name: "MAX_TEAMS_PER_USER",
    kind: int({ min: 1, max: 1_000 }),
    default: "50",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Shared teams that one user can be in.",
  }),
  setting({
    name: "MAX_MEMBERS_PER_TEAM",
    kind: int({ min: 1, max: 100_000 }),
    default: "100",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Members of a team, and open invitations to it, unless the team has a limit of its own.",
  }),
  setting({
    name: "INVITATION_EXPIRY_DAYS",
    kind: int({ min: 1, max: 365, hint: "days" }),
    default: "7",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "How many days an invitation to a team is valid.",
  }),
] as const;
