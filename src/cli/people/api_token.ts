// `sluice token create|list`: API tokens of users, in the database of the gateway.
import { issueToken } from "../../admin/tokens/issue_token.ts";
import { tokenRead } from "../../admin/tokens/token_shapes.ts";
import { tokenCreate as schema } from "../../admin/rest/people/token_schemas.ts";
import { type Fault, validated } from "../../admin/rest/faults.ts";
import { People as Standing } from "../../auth/people.ts";
import { systemClock } from "../../base/clock.ts";
import { isError } from "../../base/errors.ts";
import { loadProcessConfig } from "../../config/load.ts";
import type { ShownToken } from "../../store/tokens/token_rows.ts";
import { signingKey } from "../command_line/gateway_state.ts";
import type { TokenCreateArgs, TokenListArgs } from "../commands/token_commands.ts";
import { usage } from "../command_line/usage.ts";
import { changePeople, mistake, readPeople, userNamed } from "./people_database.ts";

/** The flags of fields that the REST API names. */
const FLAGS: Readonly<Record<string, string>> = {
  name: "name",
  expires_in_days: "expires",
  server_id: "server",
  permissions: "permission",
  ip_restrictions: "ip",
  team_id: "team",
};

/** Tokens that are read at once. */
const PAGE = 500;

/**
 * Prints the token, and nothing else, on standard output.
 * @returns the exit code. @throws {SluiceError} USAGE_INVALID, INVALID_REQUEST, CONFLICT, SETTINGS_INVALID, SECRETS_UNUSABLE,
 *  STORE_CANNOT_OPEN, STORE_UNAVAILABLE
 */
export async function tokenCreate(args: TokenCreateArgs): Promise<number> {
  try {
    return await created(args);
  } catch (error) {
    if (!isError(error, "VALIDATION_FAILED")) throw error;
    const mistakes = (error.data as readonly Fault[]).map(({ loc, msg }) => {
      const field = loc.map(String).findLast((name) => Object.hasOwn(FLAGS, name));
      return field === undefined ? msg : `--${FLAGS[field]} ${msg}`;
    });
    throw usage(mistakes, "token create");
  }
}

/** @throws {SluiceError} as `tokenCreate`, and VALIDATION_FAILED */
async function created(args: TokenCreateArgs): Promise<number> {
  const { keys } = await signingKey(loadProcessConfig({ dev: false, overrides: {} }));
  const given = validated(schema, {
    name: args.name ?? `made at ${new Date().toISOString().slice(0, 19)}Z`,
    expires_in_days: args.expires,
    scope: { server_id: args.server, permissions: args.permissions, ip_restrictions: args.networks },
  }, []);
  return await changePeople(async (people) => {
    const { registry, config } = people;
    const user = await userNamed(people, args.user);
    const standing = new Standing(await registry.people.read(), {
      platformAdminEmail: config.platformAdminEmail,
      requireUser: config.requireUserInDb,
      now: () => Date.now(),
    });
    const principal = standing.callerOf(user.email);
    if (principal === null) {
      throw mistake(`${user.email} is deactivated; \`sluice user unlock\` activates the user`);
    }
    const signer = { keys, issuer: config.jwtIssuer, audience: config.jwtAudience, clock: systemClock };
    const { row, accessToken } = await issueToken({
      store: registry,
      now: () => new Date(),
      apiTokens: {
        signer,
        maxPerUser: config.maxApiTokensPerUser,
        requireExpiration: config.requireTokenExpiration,
      },
    }, { owner: { id: user.id, principal }, given, teamId: args.team });
    const entity = { kind: "token", id: row.id };
    return { operation: "createToken", entity, before: null, after: tokenRead(row), says: [accessToken] };
  });
}

/** @returns the exit code. @throws {SluiceError} USAGE_INVALID, SETTINGS_INVALID, STORE_CANNOT_OPEN, STORE_UNAVAILABLE */
export async function tokenList({ user, all, json }: TokenListArgs): Promise<number> {
  return await readPeople(async (people) => {
    const userId = user === null ? undefined : (await userNamed(people, user)).id;
    const found: ShownToken[] = [];
    for (;;) {
      const filter = { userId, includeInactive: all };
      const { tokens } = await people.registry.apiTokens.list(filter, { limit: PAGE, offset: found.length });
      found.push(...tokens);
      if (tokens.length < PAGE) break;
    }
    if (json) {
      console.log(JSON.stringify(found.map(tokenRead), null, 2));
      return 0;
    }
    if (found.length === 0) console.log("There are no such API tokens. `sluice token create` makes one.");
    for (const row of found) {
      const { name, user_email, last_used, is_active, is_revoked, expires_at } = tokenRead(row);
      const state = is_revoked
        ? "revoked"
        : row.expiresAt !== null && row.expiresAt <= Date.now()
        ? "expired"
        : is_active
        ? `valid ${expires_at === null ? "without end" : `until ${expires_at}`}`
        : "switched off";
      console.log(
        `${row.id}  ${user_email}  "${name}"  ${state}, ${
          last_used === null ? "never used" : `last used ${last_used}`
        }`,
      );
    }
    return 0;
  });
}
