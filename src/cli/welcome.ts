// The next steps that `sluice serve` shows in a terminal: address, token, a first call, help.

import { basename } from "node:path";
import type { Loaded } from "../config/load.ts";
import type { Config, SettingName } from "../config/schema.ts";
import { VERSION } from "../version.ts";
import { localUrl } from "./command_line/local_url.ts";
import type { Setup } from "./command_line/prepare.ts";

export interface Welcome {
  /** The settings that the gateway runs with. */
  readonly config: Config;
  readonly sources: Loaded["sources"];
  /** The shell command of this program. */
  readonly program: string;
  /** The folder that the gateway runs in. */
  readonly folder: string;
  readonly hasDemo: boolean;
  /** null: the gateway has users. */
  readonly setup: Setup | null;
}

/** `sluice token` needs the same values as the gateway. */
const TOKEN_SETTINGS: readonly SettingName[] = [
  "DATABASE_URL",
  "JWT_SECRET_KEY",
  "JWT_ALGORITHM",
  "JWT_PRIVATE_KEY_PATH",
  "JWT_AUDIENCE",
  "JWT_ISSUER",
  "PLATFORM_ADMIN_EMAIL",
];

/** JSON, in lines that fit a terminal below `-d '`. */
const LIST_TOOLS = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`;

const CONVERT_TIME = `{"jsonrpc":"2.0","id":1,"method":"tools/call",
         "params":{"name":"demo-convert-time",
                   "arguments":{"time":"09:00",
                                "source_timezone":"Europe/Berlin",
                                "target_timezone":"Europe/Dublin"}}}`;

export function welcome({ config, sources, program, folder, hasDemo, setup }: Welcome): string {
  const url = localUrl(config);
  const given = TOKEN_SETTINGS.filter((name) => sources[name].from === "environment");
  const environment = given.length > 0 ? ` and with the same ${given.join(", ")}` : "";
  const { workers } = config;
  return `
Sluice ${VERSION} serves ${url} with ${workers} worker${workers === 1 ? "" : "s"}.

Pages for people: ${url}${config.appRootPath}/admin
${firstAdministrator(setup, program)}
Get a token for an hour, in another terminal, in ${folder}${environment}:

  export TOKEN=$(${program} token --admin)

${hasDemo ? "Call a tool of the demo upstream:" : "List the tools of all upstreams:"}

  curl -s${curlFlags(config)} ${url}/rpc \\
    -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\
    -d '${hasDemo ? CONVERT_TIME : LIST_TOOLS}'

${serversOfFile(config, program)}
Connect a client: ${program} connect
See the other commands and the manual: ${program} --help
`;
}

function firstAdministrator(setup: Setup | null, program: string): string {
  if (setup === null) return "";
  return setup.link !== null
    ? `This link makes the first administrator:

  ${setup.link}
`
    : `There are no users yet. This makes the first administrator:

  ${program} user add you@example.com --admin
`;
}

function serversOfFile({ mcpConfig }: Config, program: string): string {
  if (mcpConfig === null) return `Register the servers of a client's file: ${program} import FILE`;
  return `The servers of ${basename(mcpConfig)} start now, and may be installed first.
The log has "upstream registered" for each server that is ready.`;
}

/** The certificate need not be for this machine's loopback name. */
function curlFlags({ ssl, httpVersion }: Config): string {
  if (ssl) return " --insecure";
  return httpVersion === "2" ? " --http2-prior-knowledge" : "";
}
