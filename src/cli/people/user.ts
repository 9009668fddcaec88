// `sluice user list|add|lock|unlock|reset|remove`.
import { userRead } from "../../admin/people/user_shapes.ts";
import { passwordLink, passwordToken } from "../../auth/logins/one_time_links.ts";
import type { UserRow } from "../../store/people/person_rows.ts";
import type { UserChanges } from "../../store/people/users.ts";
import { localUrl } from "../command_line/local_url.ts";
import type { UserArgs, UserListArgs } from "../commands/people_commands.ts";
import { type Change, changePeople, mistake, type People, readPeople, userNamed } from "./people_database.ts";

/** Users that are read at once. */
const PAGE = 500;

const MINUTE_MS = 60_000;

/** @returns the exit code. @throws {SluiceError} SETTINGS_INVALID, STORE_CANNOT_OPEN, STORE_UNAVAILABLE */
export async function userList({ json }: UserListArgs): Promise<number> {
  return await readPeople(async ({ registry: { people: { users, sso } } }) => {
    const now = new Date();
    const found: UserRow[] = [];
    for (let after = "";;) {
      const page = await users.list({ limit: PAGE, after });
      found.push(...page);
      if (page.length < PAGE) break;
      after = page.at(-1)!.email;
    }
    if (json) {
      const providers = await sso.providersOf(found.map(({ id }) => id));
      console.log(JSON.stringify(found.map((row) => userRead(row, now, providers)), null, 2));
      return 0;
    }
    if (found.length === 0) {
      console.log("There are no users. `sluice user add EMAIL --admin` makes the first administrator.");
      return 0;
    }
    const width = Math.max(...found.map(({ email }) => email.length));
    for (const row of found) {
      const login = row.lastLogin === null ? "has never logged in" : `last login ${row.lastLogin}`;
      const admin = row.isAdmin ? "administrator, " : "";
      console.log(`${row.email.padEnd(width)}  ${admin}${stateOf(row, now)}, ${login}`);
    }
    return 0;
  });
}

/** @returns the exit code. @throws {SluiceError} CONFLICT if there is such a user; otherwise like userList() */
export async function userAdd({ email, name, admin }: UserArgs): Promise<number> {
  return await changePeople(async (people) => {
    const row = await people.registry.people.users.insert({
      ...{ email, fullName: name, passwordHash: null, isAdmin: admin, isActive: true },
      passwordChangeRequired: false,
    });
    const says = [`added ${row.email}${admin ? ", an administrator" : ""}`, await linkFor(people, row)];
    return changeOf("createUser", { before: null, after: row, says });
  });
}

/** @returns the exit code. @throws {SluiceError} USAGE_INVALID, CONFLICT for the last administrator; otherwise like userList() */
export async function userLock({ email }: UserArgs): Promise<number> {
  const tokensValidFrom = Math.floor(Date.now() / 1000) * 1000;
  const says = `locked ${email}: logins and tokens are refused until \`sluice user unlock ${email}\``;
  return await update(email, { isActive: false, tokensValidFrom }, says);
}

/** @returns the exit code. @throws {SluiceError} USAGE_INVALID; otherwise like userList() */
export async function userUnlock({ email }: UserArgs): Promise<number> {
  return await update(email, { isActive: true, failedAttempts: 0, lockedUntil: null }, `unlocked ${email}`);
}

/** @returns the exit code. @throws {SluiceError} USAGE_INVALID; otherwise like userList() */
export async function userReset({ email }: UserArgs): Promise<number> {
  return await changePeople(async (people) => {
    const user = await userNamed(people, email);
    if (!user.isActive) {
      throw mistake(`${email} is locked, and could not log in with a new password; unlock the user first`);
    }
    return changeOf("makePasswordLink", { before: user, after: user, says: [await linkFor(people, user)] });
  });
}

/** @returns the exit code. @throws {SluiceError} USAGE_INVALID, CONFLICT for the last administrator; otherwise like userList() */
export async function userRemove({ email }: UserArgs): Promise<number> {
  return await changePeople(async (people) => {
    const user = await userNamed(people, email);
    const { users } = people.registry.people;
    await users.keepingAdministrator(() => users.delete(email));
    return changeOf("deleteUser", { before: user, after: null, says: [`removed ${email}`] });
  });
}

async function update(email: string, changes: UserChanges, says: string): Promise<number> {
  return await changePeople(async (people) => {
    const before = await userNamed(people, email);
    const { users } = people.registry.people;
    const after = await users.keepingAdministrator(() => users.update(email, changes));
    return changeOf("updateUser", { before, after, says: [says] });
  });
}

async function linkFor({ registry, config }: People, { id }: UserRow): Promise<string> {
  const { passwordResetTokenExpiryMinutes: minutes, appRootPath } = config;
  const token = await passwordToken(registry.people, id, minutes * MINUTE_MS);
  const until = new Date(Date.now() + minutes * MINUTE_MS).toISOString();
  return `set the password until ${until} at ${localUrl(config)}${appRootPath}${passwordLink(token)}`;
}

function changeOf(
  operation: string,
  { before, after, says }: {
    readonly before: UserRow | null;
    readonly after: UserRow | null;
    readonly says: readonly string[];
  },
): Change {
  const now = new Date();
  const shown = (row: UserRow | null) => row === null ? null : userRead(row, now);
  const entity = { kind: "user", id: (after ?? before)!.email };
  return { operation, entity, before: shown(before), after: shown(after), says };
}

function stateOf({ isActive, lockedUntil }: UserRow, now: Date): string {
  if (!isActive) return "locked";
  if (lockedUntil === null || lockedUntil <= now.getTime()) return "active";
  return `locked by wrong passwords until ${new Date(lockedUntil).toISOString()}`;
}
