// The operations of tokens.
import {
  allTokensQuery,
  tokenCreate,
  tokenRevoke,
  tokensQuery,
  tokenUpdate,
  tokenUsageQuery,
} from "../../rest/people/token_schemas.ts";
import { operations } from "../operation.ts";
import { createdToken, revokedToken, shownToken, tokenList, tokenUsage } from "./token_answers.ts";

const ID = { id: "The id of the token, its claim `jti`." };
const TEAM = { team: "The id of the team." };

const revocation = {
  description:
    "The token is refused from now on, by every worker and replica. Users revoke their own tokens; with " +
    "`admin.user_management` any token, also one that the gateway has not seen.",
  path: ID,
  body: { schema: tokenRevoke, example: { reason: "lost laptop" }, isOptional: true },
  answers: { 204: null },
};

const creation = {
  body: {
    schema: tokenCreate,
    example: { name: "ci", expires_in_days: 30, scope: { permissions: ["tools.read", "tools.execute"] } },
  },
  answers: { 201: createdToken },
  errors: ["INVALID_REQUEST", "NOT_FOUND", "CONFLICT"] as const,
};

export const tokenOperations = operations("Tokens", {
  listTokens: {
    summary: "List API tokens",
    description: "Those of the caller, and of the caller's teams.",
    query: tokensQuery,
    answers: { 200: tokenList },
  },
  createToken: {
    summary: "Make an API token",
    description: "The answer has the token. The gateway keeps a hash of it, and never shows it again.",
    ...creation,
  },
  getToken: { summary: "Read an API token", path: ID, answers: { 200: shownToken } },
  updateToken: {
    summary: "Change an API token",
    description: "Only the fields of the body change; `scope` is replaced as a whole. The token stays valid.",
    path: ID,
    body: { schema: tokenUpdate, example: { is_active: false } },
    answers: { 200: shownToken },
    errors: ["INVALID_REQUEST", "CONFLICT"],
  },
  revokeToken: { summary: "Revoke a token", ...revocation },
  getTokenUsage: {
    summary: "Read what an API token was used for",
    path: ID,
    query: tokenUsageQuery,
    answers: { 200: tokenUsage },
  },
  listTeamTokens: {
    summary: "List the API tokens of a team",
    description: "For members of the team, and administrators.",
    path: TEAM,
    query: tokensQuery,
    answers: { 200: tokenList },
  },
  createTeamToken: { summary: "Make an API token for a team", path: TEAM, ...creation },
  listAllTokens: {
    summary: "List the API tokens of everybody",
    query: allTokensQuery,
    answers: { 200: tokenList },
  },
  revokeTokenAsAdmin: {
    summary: "Revoke a token, by ContextForge's path for administrators",
    ...revocation,
  },
  listRevokedTokens: {
    summary: "List revoked tokens that are no API tokens",
    description: "Those of `sluice token`, of logins, and of identity providers.",
    answers: { 200: revokedToken.array() },
  },
});
