// `sluice connect`: prints or writes the configuration that lets an MCP client reach the gateway, with a token.

import { resolve } from "node:path";
import { type Loaded, loadProcessConfig } from "../../config/load.ts";
import { signToken } from "../../auth/keys/own_keys.ts";
import { verifierOf } from "../../worker/wiring/token_verifier.ts";
import type { ConnectArgs } from "../commands/command_arguments.ts";
import { answers, readToken, takesLogins } from "../command_line/gateway_client.ts";
import { signingKey } from "../command_line/gateway_state.ts";
import { table, textColumns, wrapped } from "../command_line/help_text.ts";
import { localUrl } from "../command_line/local_url.ts";
import { tokenClaims } from "../command_line/claims_of_flags.ts";
import { programName, programWords } from "../command_line/program_name.ts";
import { checkServer } from "../command_line/server_flag.ts";
import { didYouMean, usage } from "../command_line/usage.ts";
import { writeTable } from "../../client_config/toml_entry.ts";
import {
  type Client,
  clientOf,
  CLIENTS,
  json,
  type Machine,
  wholeDocument,
} from "../../client_config/clients.ts";
import type { Connection } from "../../client_config/connection.ts";
import { writeEntry } from "./write_entry.ts";

/**
 * Prints the configuration, and nothing else, on standard output. A terminal on standard error shows where it belongs.
 * @returns the exit code
 * @throws {SluiceError} USAGE_INVALID, SETTINGS_INVALID, SECRETS_UNUSABLE, STORE_CANNOT_OPEN, CONFIG_FILE_UNUSABLE
 */
export async function connect(args: ConnectArgs): Promise<number> {
  if (args.client === null) {
    console.log(clientList(programName()));
    return 0;
  }
  const name = clientOf(args.client);
  if (name === null) throw usage([unknownClient(args.client)], "connect");
  const client: Client = CLIENTS[name];
  if (client.format === "text" && (args.write || args.file !== null)) {
    throw usage([`${name} has no file to write; copy what \`sluice connect ${name}\` prints`], "connect");
  }
  if (args.login && client.logIn === null) {
    throw usage([`${name} does not log in with a browser; leave --login out, or use mcp-remote`], "connect");
  }
  if (args.login && args.tokenFile !== null) {
    throw usage(
      ["--login and --token-file exclude each other: a client that logs in has no token"],
      "connect",
    );
  }
  const loaded = loadProcessConfig({ dev: false, overrides: {} });
  const gatewayUrl = args.url?.replace(/\/+$/, "") ?? localUrl(loaded.config);
  const { token, ...about } = args.login
    ? { token: null, sentences: [client.logIn!], revocation: null }
    : await tokenFor(args, loaded);
  const path = args.server === null ? "/mcp" : `/servers/${encodeURIComponent(args.server)}/mcp`;
  const connection: Connection = {
    name: args.name ?? args.server ?? "sluice",
    ...{ url: gatewayUrl + path, gatewayUrl, server: args.server, token, program: programWords() },
  };
  const file = client.format === "text" ? null : resolve(args.file ?? client.file(machine()));
  if (args.write && client.format !== "text") {
    const written = writeEntry(file!, client, connection, new Date());
    console.log(`Wrote "${connection.name}" into ${written.file}.`);
    if (written.backup !== null) console.log(`The file as it was: ${written.backup}`);
  } else console.log(client.format === "text" ? client.text(connection) : documentOf(client, connection));
  if (args.write || Deno.stderr.isTerminal()) {
    const where = file === null || args.write
      ? []
      : [`Put it into ${file}, or let this command do so: --write`];
    const sentences = [...where, client.then, ...about.sentences];
    const revocation = about.revocation === null ? [] : ["To revoke the token:", `  ${about.revocation}`];
    console.error(
      ["", ...sentences.flatMap((text) => wrapped(text, textColumns(Deno.stderr))), ...revocation].join("\n"),
    );
  }
  if (!await answers(gatewayUrl)) {
    const hint = args.url === null ? `; start it with \`${programName()} serve\`` : "";
    console.error(`sluice: no gateway answers at ${gatewayUrl} now${hint}`);
  } else if (args.login && !await takesLogins(gatewayUrl)) {
    console.error(
      `sluice: no client can log in at ${gatewayUrl} now. Add users, or set OAUTH_AUTHORIZATION_SERVER=on; see ` +
        `\`${programName()} help oauth\``,
    );
  }
  return 0;
}

/** The clients by name, with the files of this machine. */
export function clientList(program: string): string {
  const rows = Object.entries<Client>(CLIENTS).map(([name, client]) => {
    const file = client.format === "text" ? "" : `: ${client.file(machine()).replace(machine().home, "~")}`;
    return [name, client.title + file] as const;
  });
  return [
    `Usage: ${program} connect CLIENT [FLAGS]`,
    "",
    ...table(rows),
    "",
    `See the flags: ${program} connect --help`,
  ]
    .join("\n");
}

function documentOf(client: Exclude<Client, { format: "text" }>, connection: Connection): string {
  return client.format === "toml"
    ? writeTable(client.path(connection, null), client.entry(connection)).join("\n")
    : json(wholeDocument(client, connection));
}

interface ClientToken {
  readonly token: string;
  /** What the user should know of it. */
  readonly sentences: readonly string[];
  /** The command that revokes it; null for a token of the user's own. */
  readonly revocation: string | null;
}

/** The token of --token-file, or a new one of the gateway of this folder. */
async function tokenFor(args: ConnectArgs, loaded: Loaded): Promise<ClientToken> {
  if (args.tokenFile !== null) {
    return { token: readToken(args.tokenFile), sentences: [], revocation: null };
  }
  const { config } = loaded;
  const username = args.username ?? `${Deno.env.get("USER") || Deno.env.get("USERNAME") || "user"}@localhost`;
  if (args.expMinutes === 0 && config.requireTokenExpiration) {
    const mistake =
      "--exp 0: this gateway refuses tokens without expiry; REQUIRE_TOKEN_EXPIRATION=false would allow them";
    throw usage([mistake], "connect");
  }
  const { keys } = await signingKey(loaded);
  const grants = { ...args, username, admin: false, permissions: null, name: null };
  const claims = tokenClaims(grants, config, { nowMs: Date.now(), jti: crypto.randomUUID() });
  const token = await signToken(claims, keys);
  const principal = await verifierOf(config, keys)(token);
  if (args.server !== null) await checkServer(args.server, principal, config, "connect");
  const until = principal.expiresAt === null
    ? "without expiry"
    : `valid until ${new Date(principal.expiresAt).toISOString().slice(0, 10)}`;
  const opens = args.server === null ? "" : `, for virtual server ${args.server} alone`;
  return {
    token,
    sentences: [`The configuration holds a token for ${username}, ${until}${opens}.`],
    revocation: `${programName()} token revoke ${principal.jti}`,
  };
}

function unknownClient(word: string): string {
  const names = Object.keys(CLIENTS);
  return `unknown client "${word}"${didYouMean(word, names) || `; known: ${names.join(", ")}`}`;
}

function machine(): Machine {
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE") ?? ".";
  return { os: Deno.build.os, home, appData: Deno.env.get("APPDATA") ?? `${home}/AppData/Roaming` };
}
