// Which programs the gateway may start as upstreams. Whoever may register one runs it as the gateway's own user.
import { SluiceError } from "../../base/errors.ts";
import type { Launch } from "./launch.ts";

/** The STDIO_* settings of that name, under Config's names. */
export interface StdioRules {
  readonly stdioEnabled: boolean;
  /** As registered, letter by letter; empty: any. */
  readonly stdioAllowedCommands: readonly string[];
}

/** @throws {SluiceError} COMMAND_DENIED with the setting that would allow it */
export function checkLaunch(
  { command }: Launch,
  { stdioEnabled, stdioAllowedCommands }: StdioRules,
): void {
  if (!stdioEnabled) {
    throw new SluiceError("COMMAND_DENIED", {
      reason:
        "the operator does not allow upstreams that are started as a process (STDIO_ENABLED=true would)",
    });
  }
  if (stdioAllowedCommands.length === 0 || stdioAllowedCommands.includes(command)) return;
  throw new SluiceError("COMMAND_DENIED", {
    reason: `"${command}" is not among STDIO_ALLOWED_COMMANDS (${stdioAllowedCommands.join(", ")})`,
  });
}

/** What a process gets of the gateway's own environment: nothing that holds a secret. */
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

/** @param own the registration's variables, which win */
export function childEnvironment(
  own: Readonly<Record<string, string>>,
  lookUp: (name: string) => string | undefined,
): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => {
    const value = lookUp(name);
    return value === undefined ? [] : [[name, value]];
  });
  return { ...Object.fromEntries(inherited), ...own };
}

/** They decide which code a program really is: with them, one allowed command would be any. */
export function isLoaderVariable(name: string): boolean {
  return name === "PATH" || name.startsWith("LD_") || name.startsWith("DYLD_");
}
