// /auth/email/admin/users: users, as administrators manage them. The last active administrator remains.
import { passwordLink, passwordToken } from "../../auth/logins/one_time_links.ts";
import { SluiceError } from "../../base/errors.ts";
import type { UserChanges } from "../../store/people/users.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { type KnownFields, readFields } from "../rest/fields.ts";
import { newPasswordHash, thisSecond } from "./new_password.ts";
import { userCreate, usersQuery, userUpdate } from "../rest/people_schemas.ts";
import { namedUser } from "./people_lookup.ts";
import { shownUser, userRead } from "./user_shapes.ts";

const CREATE: KnownFields = { schema: userCreate };
const UPDATE: KnownFields = { schema: userUpdate, withoutEffect: ["email_verified"] };

/** In the order of their email addresses. A cursor is the last address of the part before. */
export async function listUsers({ deps, query }: Call): Promise<AdminResponse> {
  const { limit, cursor, include_pagination } = validated(usersQuery, Object.fromEntries(query), ["query"]);
  const rows = await deps.store.people.users.list({ limit: limit + 1, after: cursor });
  const page = rows.slice(0, limit);
  const providers = await deps.store.people.sso.providersOf(page.map(({ id }) => id));
  const users = page.map((row) => userRead(row, deps.now(), providers));
  const nextCursor = rows.length > limit ? page.at(-1)!.email : null;
  return ok(include_pagination === "true" ? { users, nextCursor } : users);
}

export async function createUser(call: Call): Promise<AdminResponse> {
  const { deps } = call;
  const given = validated(userCreate, readFields(call, await call.body(), ["body"], CREATE), ["body"]);
  const { email, password } = given;
  if (await deps.store.people.users.get(email) !== null) {
    throw new SluiceError("CONFLICT", { reason: `A user with the email address ${email} exists already` });
  }
  const row = await deps.store.people.users.insert({
    email,
    fullName: given.full_name ?? null,
    passwordHash: await newPasswordHash(deps, { email, password, field: "password" }),
    isAdmin: given.is_admin,
    isActive: given.is_active,
    passwordChangeRequired: given.password_change_required,
  });
  await deps.catalogChanged();
  return ok(userRead(row, deps.now()), 201);
}

export async function getUser(call: Call): Promise<AdminResponse> {
  return ok(await shownUser(call.deps, await namedUser(call, call.params.email)));
}

/** Only the fields of the body change. A new password, and deactivation, end the tokens of earlier logins. */
export async function updateUser(call: Call): Promise<AdminResponse> {
  const { deps } = call;
  const { email } = await namedUser(call, call.params.email);
  const given = validated(userUpdate, readFields(call, await call.body(), ["body"], UPDATE), ["body"]);
  const { password } = given;
  const hasPassword = password !== undefined && password !== null;
  const changes: UserChanges = {
    fullName: given.full_name,
    isAdmin: given.is_admin ?? undefined,
    isActive: given.is_active ?? undefined,
    passwordChangeRequired: given.password_change_required ?? undefined,
    ...(hasPassword
      ? { passwordHash: await newPasswordHash(deps, { email, password, field: "password" }) }
      : {}),
    ...(hasPassword || given.is_active === false ? { tokensValidFrom: thisSecond(deps) } : {}),
  };
  const row = await deps.store.transaction(({ people: { users } }) =>
    users.keepingAdministrator(() => users.update(email, changes))
  );
  await deps.catalogChanged();
  return ok(await shownUser(deps, row));
}

export async function deleteUser(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const { email } = await namedUser(call, call.params.email);
  if (email === principal.email) {
    throw new SluiceError("CONFLICT", { reason: "You cannot delete your own account" });
  }
  await deps.store.transaction(({ people: { users } }) =>
    users.keepingAdministrator(() => users.delete(email))
  );
  await deps.catalogChanged();
  return ok({ success: true, message: `User ${email} deleted` });
}

export async function unlockUser(call: Call): Promise<AdminResponse> {
  const { email } = await namedUser(call, call.params.email);
  await call.deps.store.people.users.noteLogin(email, { failedAttempts: 0, lockedUntil: null });
  return ok({ success: true, message: `User ${email} unlocked` });
}

/** A one-time link with which the user sets a new password. The present password stays until then. */
export async function makePasswordLink(call: Call): Promise<AdminResponse> {
  const { deps } = call;
  const { id, email } = await namedUser(call, call.params.email);
  const { passwordLinkMs } = deps.accounts;
  const token = await passwordToken(deps.store.people, id, passwordLinkMs);
  const expiresAt = new Date(deps.now().getTime() + passwordLinkMs).toISOString();
  const body = { email, token, link: passwordLink(token), expires_at: expiresAt };
  return { ...ok(body, 201), headers: { "cache-control": "no-store" } };
}
