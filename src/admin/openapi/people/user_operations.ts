// The operations of logins and users.
import * as z from "zod";
import { field } from "../../rest/described.ts";
import {
  loginBody,
  oldPasswordChange,
  passwordChange,
  passwordReset,
  passwordResetByPath,
  setup,
  userCreate,
  usersQuery,
  userUpdate,
} from "../../rest/people_schemas.ts";
import { textOrNull } from "../answers.ts";
import { operations } from "../operation.ts";
import { forgotten } from "../../rest/people/session_schemas.ts";
import { done, loggedIn, loggedOut, passwordLink, passwordWasSet, user, validLink } from "./user_answers.ts";

const EMAIL = { email: "The email address of the user." };
const CREDENTIALS = { email: "ann@example.com", password: "correct horse battery" };

const loginOperation = {
  description:
    "Every failure is answered alike, whether the user exists, is locked, or has another password. The token " +
    "has the rights of the user's roles in all of the user's teams.",
  body: { schema: loginBody, example: CREDENTIALS },
  answers: { 200: loggedIn },
  errors: [
    "LOGIN_FAILED",
    "PASSWORD_CHANGE_REQUIRED",
    "RATE_LIMITED",
    "OVERLOADED",
    "STORE_UNAVAILABLE",
  ] as const,
};

const createOperation = {
  description: "The user gets a personal team, and reads public entries.",
  body: { schema: userCreate, example: { ...CREDENTIALS, full_name: "Ann" } },
  answers: { 201: user },
  errors: ["CONFLICT", "OVERLOADED"] as const,
};

const updateOperation = {
  description: "Only the fields of the body change. A new password, and deactivation, end the user's tokens.",
  path: EMAIL,
  body: { schema: userUpdate, example: { is_active: false } },
  answers: { 200: user },
  errors: ["CONFLICT", "OVERLOADED"] as const,
};

const resetOperation = {
  description:
    "The token works once, until it expires. Tokens of earlier logins end, and so does a lock by wrong passwords.",
  body: { schema: passwordReset, example: { token: "TOKEN", new_password: "staple of the stable" } },
  answers: { 200: passwordWasSet },
  errors: ["UNAUTHENTICATED", "OVERLOADED", "STORE_UNAVAILABLE"] as const,
};

export const userOperations = {
  ...operations("Logins", {
    login: { summary: "Log in", ...loginOperation },
    loginByEmail: { summary: "Log in, by ContextForge's other path", ...loginOperation },
    setUp: {
      summary: "Make the first administrator",
      description: "With the one-time token that the start prints as long as there are no users.",
      body: { schema: setup, example: { token: "TOKEN", ...CREDENTIALS } },
      answers: { 201: loggedIn },
      errors: ["UNAUTHENTICATED", "CONFLICT", "OVERLOADED", "STORE_UNAVAILABLE"],
    },
    forgotPassword: {
      summary: "Ask for a link to a new password, by mail",
      description: "Every address is answered alike. A mail goes to active users who have a password.",
      body: { schema: forgotten, example: { email: "ann@example.com" } },
      answers: { 200: done },
      errors: ["FORBIDDEN", "RATE_LIMITED"],
    },
    checkPasswordToken: {
      summary: "Look whether a one-time link still works",
      path: { token: "The one-time token of the link." },
      answers: { 200: validLink },
      errors: ["UNAUTHENTICATED", "STORE_UNAVAILABLE"],
    },
    resetPassword: { summary: "Set a password, with the token of a one-time link", ...resetOperation },
    resetPasswordByPath: {
      summary: "Set a password, by ContextForge's path",
      ...resetOperation,
      path: { token: "The one-time token of the link." },
      body: { schema: passwordResetByPath, example: { new_password: "staple of the stable" } },
    },
    changeOldPassword: {
      summary: "Change a password without a token",
      description: "For users who must change their password before they log in.",
      body: {
        schema: oldPasswordChange,
        example: {
          email: "ann@example.com",
          old_password: "correct horse battery",
          new_password: "staple of the stable",
        },
      },
      answers: { 200: done },
      errors: ["LOGIN_FAILED", "RATE_LIMITED", "OVERLOADED", "STORE_UNAVAILABLE", "NOT_FOUND"],
    },
    changePassword: {
      summary: "Change one's own password",
      description: "All tokens that were issued to the user before end.",
      body: {
        schema: passwordChange,
        example: { old_password: "correct horse battery", new_password: "staple of the stable" },
      },
      answers: { 200: done },
      errors: ["LOGIN_FAILED", "NOT_FOUND"],
    },
    logout: {
      summary: "Revoke the token of this request",
      answers: {
        200: loggedOut,
      },
      errors: ["INVALID_REQUEST"],
    },
    getMe: { summary: "Read one's own user record", answers: { 200: user }, errors: ["NOT_FOUND"] },
  }),
  ...operations("Users", {
    listUsers: {
      summary: "List users",
      description: "In the order of their email addresses.",
      query: usersQuery,
      answers: {
        200: z.union([
          z.array(user),
          z.strictObject({
            users: field(z.array(user), "The users of this part of the list."),
            nextCursor: textOrNull("Where the next part begins; null: there is none.", null),
          }),
        ]),
      },
    },
    createUser: { summary: "Create a user", ...createOperation },
    registerUser: { summary: "Create a user, by ContextForge's path for registrations", ...createOperation },
    getUser: { summary: "Read a user", path: EMAIL, answers: { 200: user } },
    updateUser: { summary: "Change a user", ...updateOperation },
    replaceUser: { summary: "Change a user, by the former method", ...updateOperation },
    deleteUser: {
      summary: "Delete a user",
      description: "The personal team ends with the user. Entries keep their owner's email address.",
      path: EMAIL,
      answers: { 200: done },
      errors: ["CONFLICT"],
    },
    unlockUser: { summary: "Unlock an account", path: EMAIL, answers: { 200: done } },
    makePasswordLink: {
      summary: "Make a one-time link, with which a user sets a new password",
      description:
        "Put the gateway's address before `link`, and give both to the user. A former link of the user " +
        "ends. The present password works until the link is used.",
      path: EMAIL,
      answers: { 201: passwordLink },
    },
  }),
};
