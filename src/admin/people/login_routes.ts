// Room `people`: handlers of logins, users, teams and roles. `routes.ts` loads them. This file serves what concerns the caller itself:
// login, logout, password, profile, and the first administrator.
import { digest, type Login } from "../../auth/logins/logins.ts";
import {
  FIRST_ADMINISTRATOR,
  usePasswordToken,
  userOfPasswordToken,
} from "../../auth/logins/one_time_links.ts";
import { SluiceError } from "../../base/errors.ts";
import { revokeTokenOf } from "../../store/registry/revoked_tokens.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { fault, refuse, validated } from "../rest/faults.ts";
import { type KnownFields, readFields } from "../rest/fields.ts";
import { newPasswordHash, thisSecond } from "./new_password.ts";
import {
  loginBody,
  oldPasswordChange,
  passwordChange,
  passwordReset,
  passwordResetByPath,
  setup,
} from "../rest/people_schemas.ts";
import { forgotten } from "../rest/people/session_schemas.ts";
import { shownUser, userRead } from "./user_shapes.ts";

const LOGIN: KnownFields = { schema: loginBody };
const PASSWORD_CHANGE: KnownFields = { schema: passwordChange };
const OLD_PASSWORD_CHANGE: KnownFields = { schema: oldPasswordChange };
const SETUP: KnownFields = { schema: setup };
const FORGOTTEN: KnownFields = { schema: forgotten };
const RESET: KnownFields = { schema: passwordReset };
const RESET_BY_PATH: KnownFields = { schema: passwordResetByPath };

export async function login(call: Call): Promise<AdminResponse> {
  const { email, username, password } = validated(
    loginBody,
    readFields(call, await call.body(), ["body"], LOGIN),
    ["body"],
  );
  const name = email ?? username;
  if (name === undefined) refuse([fault(["body", "email"], "Field required", "missing")]);
  const found = await call.deps.logins.login({ email: name!, password, address: call.client });
  return loggedIn(call, found);
}

/** Ends the token of the request. A person who has signed in at an identity provider is told where to end that session too. */
export async function logout({ deps, principal }: Call): Promise<AdminResponse> {
  const { jti, email, expiresAt } = principal;
  if (jti === null) {
    throw new SluiceError("INVALID_REQUEST", { reason: "the token has no id (`jti`) to revoke" });
  }
  await revokeTokenOf(deps.store, { jti, revokedBy: email, reason: "logout", expiresAt });
  await deps.catalogChanged();
  const logoutUrl = await deps.sso?.logout(jti) ?? null;
  return {
    ...ok({ message: "Logged out successfully", revoked_token: jti, logout_url: logoutUrl }),
    headers: { "cache-control": "no-store" },
  };
}

export async function getMe({ deps, principal }: Call): Promise<AdminResponse> {
  const row = await deps.store.people.users.get(principal.email);
  if (row === null) throw new SluiceError("NOT_FOUND", { what: `A user record of ${principal.email}` });
  return ok(await shownUser(deps, row));
}

/** For a caller who has logged in. */
export async function changePassword(call: Call): Promise<AdminResponse> {
  const given = validated(passwordChange, readFields(call, await call.body(), ["body"], PASSWORD_CHANGE), [
    "body",
  ]);
  return await change(call, { ...given, email: call.principal.email });
}

/** For a user who must change the password before the login. */
export async function changeOldPassword(call: Call): Promise<AdminResponse> {
  const body = readFields(call, await call.body(), ["body"], OLD_PASSWORD_CHANGE);
  return await change(call, validated(oldPasswordChange, body, ["body"]));
}

/** Makes the first administrator, with the one-time token of the start. */
export async function setUp(call: Call): Promise<AdminResponse> {
  const { deps } = call;
  const given = validated(setup, readFields(call, await call.body(), ["body"], SETUP), ["body"]);
  const { email, password, full_name: fullName = null } = given;
  const tokenHash = digest(given.token);
  const refusal = new SluiceError("UNAUTHENTICATED", {
    reason: "the one-time token is wrong, used or expired; a restart prints another if there are no users",
  });
  // Before the password is hashed: strangers cause no work.
  if (!await deps.store.people.oneTimeTokens.isOpen(FIRST_ADMINISTRATOR, tokenHash)) throw refusal;
  const passwordHash = await newPasswordHash(deps, { email, password, field: "password" });
  const user = await deps.store.transaction(async ({ people }) => {
    if (!await people.oneTimeTokens.use(FIRST_ADMINISTRATOR, tokenHash)) throw refusal;
    return await people.users.insert({
      ...{ email, fullName, passwordHash },
      ...{ isAdmin: true, isActive: true, passwordChangeRequired: false },
    });
  });
  await deps.catalogChanged();
  return loggedIn(call, await deps.logins.tokenFor(user), 201);
}

/** Known and unknown addresses are answered alike, and at once. */
export async function forgotPassword(call: Call): Promise<AdminResponse> {
  const { deps, client } = call;
  const { email } = validated(forgotten, readFields(call, await call.body(), ["body"], FORGOTTEN), ["body"]);
  if (deps.passwordMails === null) {
    throw new SluiceError("FORBIDDEN", {
      reason: "this gateway sends no mail (SMTP_ENABLED); ask an administrator for a one-time link",
    });
  }
  await deps.passwordMails.request(email, client);
  return ok({ success: true, message: "If this email is registered, you will receive a reset link." });
}

/** @throws {SluiceError} UNAUTHENTICATED */
export async function checkPasswordToken({ deps, params: { token } }: Call): Promise<AdminResponse> {
  const found = await userOfPasswordToken(deps.store.people, token!);
  if (found === null) {
    throw new SluiceError("UNAUTHENTICATED", {
      reason: "the one-time token is wrong, used or expired; ask for another link",
    });
  }
  return {
    ...ok({
      valid: true,
      message: "Reset token is valid",
      expires_at: new Date(found.expiresAt).toISOString(),
    }),
    headers: { "cache-control": "no-store" },
  };
}

/** Sets a password, with the one-time token of a link. */
export async function resetPassword(call: Call): Promise<AdminResponse> {
  const body = readFields(call, await call.body(), ["body"], RESET);
  return await reset(call, validated(passwordReset, body, ["body"]));
}

/** The same, by ContextForge's path. */
export async function resetPasswordByPath(call: Call): Promise<AdminResponse> {
  const body = readFields(call, await call.body(), ["body"], RESET_BY_PATH);
  return await reset(call, {
    ...validated(passwordResetByPath, body, ["body"]),
    token: call.params.token,
  });
}

/** Tokens that were issued before end. A lock by wrong passwords ends too; a deactivated user stays deactivated. */
async function reset(
  { deps }: Call,
  { token, new_password: password, confirm_password: again = password }: {
    readonly token: string;
    readonly new_password: string;
    readonly confirm_password?: string;
  },
): Promise<AdminResponse> {
  const { people } = deps.store;
  const refusal = new SluiceError("UNAUTHENTICATED", {
    reason: "the one-time token is wrong, used or expired; ask for another link",
  });
  // Before the password is hashed: strangers cause no work.
  const found = await userOfPasswordToken(people, token);
  const user = found === null ? null : await people.users.getById(found.userId);
  if (user === null) throw refusal;
  refuse(again === password ? [] : [fault(["body", "confirm_password"], "differs from new_password")]);
  const { email } = user;
  const passwordHash = await newPasswordHash(deps, { email, password, field: "new_password" });
  await deps.store.transaction(async ({ people }) => {
    if (!await usePasswordToken(people, user.id, token)) throw refusal;
    await people.users.update(email, {
      ...{ passwordHash, passwordChangeRequired: false, failedAttempts: 0, lockedUntil: null },
      tokensValidFrom: thisSecond(deps),
    });
  });
  await deps.catalogChanged();
  return ok({ success: true, message: "Password set; log in", email });
}

async function change(
  { deps, client }: Call,
  { email, old_password: old, new_password: wanted }: {
    readonly email: string;
    readonly old_password: string;
    readonly new_password: string;
  },
): Promise<AdminResponse> {
  const user = await deps.logins.verify({ email, password: old, address: client });
  refuse(
    old === wanted ? [fault(["body", "new_password"], "must differ from the old password", "password")] : [],
  );
  const passwordHash = await newPasswordHash(deps, {
    email: user.email,
    password: wanted,
    field: "new_password",
  });
  const changes = { passwordHash, passwordChangeRequired: false, tokensValidFrom: thisSecond(deps) };
  await deps.store.people.users.update(user.email, changes);
  await deps.catalogChanged();
  return ok({ success: true, message: "Password changed; log in again" });
}

function loggedIn({ deps }: Call, { user, token, expiresInSeconds }: Login, status = 200): AdminResponse {
  return {
    ...ok({
      access_token: token,
      token_type: "bearer",
      expires_in: expiresInSeconds,
      user: userRead(user, deps.now()),
    }, status),
    headers: { "cache-control": "no-store" },
  };
}
