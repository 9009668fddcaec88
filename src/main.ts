// The program: picks the command, prints what went wrong, sets the exit code (0 done, 1 failed, 2 wrong flags or settings).

import { reasonOf, SluiceError } from "./base/errors.ts";
import { parseInvocation } from "./cli/command_line/flags.ts";
import { commit, REVISIONS_SERVED, VERSION } from "./version.ts";

/** Runs the command that `args` name, to its end. @returns the exit code */
export async function run(args: readonly string[]): Promise<number> {
  const invocation = parseInvocation(args);
  // Commands are imported on use, so that the small ones start fast; literal names, so that `deno compile` embeds them.
  switch (invocation.command) {
    case "serve":
      return await (await import("./cli/serve.ts")).serve(invocation.args);
    case "stdio":
      return await (await import("./cli/stdio/stdio.ts")).stdio(invocation.args);
    case "demo":
      return await (await import("./cli/demo.ts")).demo(invocation.args);
    case "token":
      return await (await import("./cli/token.ts")).token(invocation.args);
    case "token revoke":
      return await (await import("./cli/token_revoke.ts")).tokenRevoke(invocation.args);
    case "backup":
      return await (await import("./cli/backup.ts")).backup(invocation.args);
    case "restore":
      return await (await import("./cli/restore.ts")).restore(invocation.args);
    case "config":
      return (await import("./cli/show_config.ts")).config(invocation.args);
    case "version":
      console.log(versionText());
      return 0;
    case "help":
      console.log(invocation.text);
      return 0;
  }
}

function versionText(): string {
  return [
    `sluice ${VERSION} (${commit()})`,
    `deno ${Deno.version.deno}`,
    `MCP ${REVISIONS_SERVED.join(", ")}`,
  ].join("\n");
}

/** Prints what the operator reads of `error`. @returns the exit code */
export function fail(error: unknown): number {
  const isMistake = error instanceof SluiceError &&
    (error.code === "USAGE_INVALID" || error.code === "SETTINGS_INVALID");
  const cause = error instanceof Error && error.cause !== undefined ? `: ${reasonOf(error.cause)}` : "";
  const lines = `${reasonOf(error)}${isMistake ? "" : cause}`.split("\n").map((line) => `sluice: ${line}`)
    .join("\n");
  console.error(lines);
  // An error without a row in the catalogue is a fault of ours: its stack is what a report of it needs.
  if (!(error instanceof SluiceError) && error instanceof Error) console.error(error.stack);
  return isMistake ? 2 : 1;
}

if (import.meta.main) Deno.exit(await run(Deno.args).catch(fail));
