// `sluice token`: mints a bearer token with the claims of ContextForge's token utility, limited as the flags say.

import { keysOfSecret, signToken, usesKeyPair } from "../auth/keys/own_keys.ts";
import type { Principal } from "../auth/principal.ts";
import { EVERY_PERMISSION, isPermission, needsAdministrator, PERMISSIONS } from "../auth/permission_table.ts";
import type { Config } from "../config/schema.ts";
import { loadProcessConfig } from "../config/load.ts";
import { verifierOf } from "../worker/wiring/token_verifier.ts";
import type { TokenArgs } from "./commands/command_arguments.ts";
import { type SigningKey, signingKey } from "./command_line/gateway_state.ts";
import { textColumns, wrapped } from "./command_line/help_text.ts";
import { programName } from "./command_line/program_name.ts";
import { checkServer } from "./command_line/server_flag.ts";
import { tokenClaims } from "./command_line/claims_of_flags.ts";
import { didYouMean, usage } from "./command_line/usage.ts";

/**
 * Prints the token, and nothing else, on standard output. A terminal on standard error shows what the token opens.
 * @returns the exit code. @throws {SluiceError} USAGE_INVALID, SETTINGS_INVALID, SECRETS_UNUSABLE, STORE_CANNOT_OPEN
 */
export async function token(args: TokenArgs): Promise<number> {
  const loaded = loadProcessConfig({ dev: false, overrides: {} });
  const { config } = loaded;
  refuse(mistakesIn(args, config));
  const signing: SigningKey = args.secret === null
    ? await signingKey(loaded)
    : { keys: keysOfSecret(config.jwtAlgorithm, args.secret), from: "--secret" };
  const claims = tokenClaims(args, config, { nowMs: Date.now(), jti: crypto.randomUUID() });
  const minted = await signToken(claims, signing.keys);
  // The gateway's own check. Its result decides which grants have an effect, and what the terminal shows.
  const principal = await verifierOf(config, signing.keys)(minted);
  refuse(grantsWithoutEffect(args, principal));
  // A token that is signed with another key is for another gateway, whose servers are not known here.
  if (args.server !== null && args.secret === null) {
    await checkServer(args.server, principal, config, "token");
  }
  console.log(minted);
  if (Deno.stderr.isTerminal()) console.error(description(args, principal, signing));
  return 0;
}

function refuse(mistakes: readonly string[]): void {
  if (mistakes.length > 0) throw usage(mistakes, "token");
}

/** One sentence for each flag that the gateway would not understand. */
export function mistakesIn(
  { expMinutes, permissions, secret }: Pick<TokenArgs, "expMinutes" | "permissions" | "secret">,
  config: Pick<Config, "requireTokenExpiration" | "jwtAlgorithm">,
): string[] {
  const mistakes: string[] = [];
  if (secret !== null && usesKeyPair(config)) {
    mistakes.push(
      `--secret: JWT_ALGORITHM=${config.jwtAlgorithm} signs with JWT_PRIVATE_KEY_PATH. Leave --secret out`,
    );
  }
  if (expMinutes === 0 && config.requireTokenExpiration) {
    mistakes.push(
      "--exp 0: this gateway refuses tokens without expiry; REQUIRE_TOKEN_EXPIRATION=false would allow them",
    );
  }
  if (permissions?.length === 0) mistakes.push("--permissions names no permission");
  for (const name of permissions ?? []) {
    if (!isPermission(name) && name !== EVERY_PERMISSION) mistakes.push(unknownPermission(name));
  }
  return mistakes;
}

/** One sentence for each flag that grants nothing to this bearer. */
export function grantsWithoutEffect(
  { teams, permissions }: Pick<TokenArgs, "teams" | "permissions">,
  { isAdmin }: Pick<Principal, "isAdmin">,
): string[] {
  if (isAdmin) return [];
  const forAdministrators = (permissions ?? []).filter((name) =>
    isPermission(name) && needsAdministrator(name)
  );
  return [
    ...(teams === "all" ? ["--teams null is for administrators; add --admin"] : []),
    ...forAdministrators.map((name) => `--permissions ${name} is for administrators; add --admin`),
  ];
}

function unknownPermission(text: string): string {
  const guess = didYouMean(text, PERMISSIONS);
  return `unknown permission "${text}"${guess === "" ? `; known: ${PERMISSIONS.join(", ")}` : guess}`;
}

/** Tells the person at the terminal whom the token is for, when it expires, what it opens, and how to revoke it. */
function description(args: TokenArgs, principal: Principal, { from }: SigningKey): string {
  const { isAdmin, subject, expiresAt, teams, serverId, permissions, jti } = principal;
  const expiry = expiresAt === null
    ? "without expiry"
    : `valid until ${new Date(expiresAt).toISOString().replace(".000Z", "Z")} (${
      durationText(args.expMinutes)
    })`;
  const opens = [
    teams === null
      ? "all entries"
      : ["public entries", ...teams.map((team) => `those of team ${team}`)].join(", "),
    ...(serverId === null ? [] : [`only virtual server ${serverId}`]),
    ...(permissions === null ? [] : [`only the permissions ${permissions.join(", ")}`]),
  ];
  return [
    "",
    ...wrapped(
      `Token for ${isAdmin ? "administrator " : ""}${subject}, ${expiry}. The token opens ${
        opens.join("; ")
      }. The signing key is ` +
        `from ${from}.`,
      textColumns(Deno.stderr),
    ),
    "To revoke the token:",
    `  ${programName()} token revoke ${jti}`,
  ].join("\n");
}

function durationText(minutes: number): string {
  const [amount, unit] = minutes % 1440 === 0
    ? [minutes / 1440, "day"]
    : minutes % 60 === 0
    ? [minutes / 60, "hour"]
    : [minutes, "minute"];
  return `${amount} ${unit}${amount === 1 ? "" : "s"}`;
}
