// Decides which programs the gateway may start as upstreams, and with which environment.
import { SluiceError } from "../../base/errors.ts";
import type { Account } from "./account.ts";
import type { Launch } from "./launch.ts";

/** The STDIO_* settings with the same names in Config. */
export interface StdioRules {
  readonly stdioEnabled: boolean;
  /** Commands exactly as registered; empty: any. */
  readonly stdioAllowedCommands: readonly string[];
  /** Variables that a registration may set. Only used if `stdioAllowedCommands` is not empty. */
  readonly stdioAllowedVariables: readonly string[];
}

/**
 * @param isOwn the operator's own file names the command (MCP_CONFIG), so STDIO_ENABLED does not matter
 * @throws {SluiceError} COMMAND_DENIED, naming the setting that would allow it
 */
export function checkLaunch(
  { command }: Launch,
  { stdioEnabled, stdioAllowedCommands }: StdioRules,
  isOwn = false,
): void {
  if (!stdioEnabled && !isOwn) {
    throw new SluiceError("COMMAND_DENIED", {
      reason: "stdio upstreams are disabled (STDIO_ENABLED=true enables them)",
    });
  }
  if (stdioAllowedCommands.length === 0 || stdioAllowedCommands.includes(command)) return;
  throw new SluiceError("COMMAND_DENIED", {
    reason: `"${command}" is not among STDIO_ALLOWED_COMMANDS (${stdioAllowedCommands.join(", ")})`,
  });
}

/**
 * Many programs load code that a variable names (`BASH_ENV`, `NODE_OPTIONS`, `PYTHONPATH`). No list of these variables is
 * complete, so an allow list of commands comes with one of variables.
 * @throws {SluiceError} COMMAND_DENIED, naming the setting that would allow them
 */
export function checkVariables(
  names: readonly string[],
  { stdioAllowedCommands, stdioAllowedVariables }: StdioRules,
): void {
  if (stdioAllowedCommands.length === 0) return;
  // PATH chooses the programs that an allowed one starts.
  const denied = names.filter((name) =>
    name === "PATH" || isLoaderVariable(name) || !stdioAllowedVariables.includes(name)
  );
  if (denied.length === 0) return;
  const allowed = stdioAllowedVariables.length === 0 ? "empty" : stdioAllowedVariables.join(", ");
  throw new SluiceError("COMMAND_DENIED", {
    reason:
      `env may only set variables of STDIO_ALLOWED_VARIABLES (${allowed}) while STDIO_ALLOWED_COMMANDS ` +
      `is set; not allowed: ${denied.join(", ")}`,
  });
}

/** The variables that a process inherits from the gateway's environment. None holds a secret. */
const INHERITED = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "TERM",
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "TZ",
  "TMPDIR",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NODE_EXTRA_CA_CERTS",
];

/**
 * @param own the registration's variables, which take precedence
 * @param account the user of the process; null: the gateway's own
 */
export function childEnvironment(
  own: Readonly<Record<string, string>>,
  lookUp: (name: string) => string | undefined,
  account: Account | null,
): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => {
    const value = lookUp(name);
    return value === undefined ? [] : [[name, value]];
  });
  const identity = account === null
    ? {}
    : { HOME: account.home, USER: account.name, LOGNAME: account.name, SHELL: account.shell };
  return { ...Object.fromEntries(inherited), ...identity, ...own };
}

/** These variables make the system's loader put other code into any program. */
export function isLoaderVariable(name: string): boolean {
  return name.startsWith("LD_") || name.startsWith("DYLD_");
}
