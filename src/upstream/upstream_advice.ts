// Remedies for failures of upstreams, found by the words of the failure.

const ADVICE: readonly (readonly [said: RegExp, advice: string])[] = [
  [
    / would allow it\)/,
    "The gateway connects to public addresses alone. The setting that the message names allows this one.",
  ],
  [
    / is never allowed/,
    "No setting allows such an address. Give the upstream an address of another network.",
  ],
  [/cannot be resolved/, "In a container, a service has a name of its own, not localhost."],
  [/cannot resolve "/, "Correct the name. In a container, a service has a name of its own, not localhost."],
  [/connection refused/, "Nothing listens there. Start the upstream, and check the address and the port."],
  [
    /Cannot open a TLS connection/,
    "Give the certificate of the authority that signed the upstream's certificate.",
  ],
  [
    /answered HTTP (404|405)/,
    "The path is wrong, or the server has another transport. The path is often /mcp or /sse.",
  ],
  [/refused our credentials/, "Give credentials, or correct those that are stored."],
  [
    /broke the protocol/,
    "The answer is no MCP. Its first words say what answers there: often a login page, or a proxy.",
  ],
  [
    /no executable program "(npx|npm|node)"/,
    "Install Node.js for the gateway's user, or give the whole path.",
  ],
  [
    /no executable program "uvx?"/,
    "Install uv for the gateway's user, or give the whole path.",
  ],
  [
    /no executable program/,
    "Install the program for the gateway's user, or give its whole path.",
  ],
  [
    /the process ended/,
    "Mend what the end of its stderr names. A missing variable belongs in the environment.",
  ],
  [
    /STDIO_START_TIMEOUT/,
    "npx and uvx install at the first start. Try again, raise the setting, or install the program before.",
  ],
  [/STDIO_ENABLED/, "An operator allows commands with this setting."],
  [/STDIO_ALLOWED_COMMANDS/, "An operator allows this command with this setting, in exactly this spelling."],
  [/something else than MCP messages/, "Give the arguments that start its stdio server, and log to stderr."],
  [/exists already/, "Take another name, or change the upstream that has it."],
  [/did not .* within/, "The upstream answers too slowly. Try again, or raise the setting that is named."],
  [/answered HTTP 5/, "The upstream has a fault. Its own log has the cause."],
];

/** null: the words say it all. @param text of the failure, as operators read it */
export function adviceFor(text: string): string | null {
  return ADVICE.find(([said]) => said.test(text))?.[1] ?? null;
}
