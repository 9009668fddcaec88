// The program: picks the command, prints what went wrong, sets the exit code (0 done, 1 failed, 2 wrong flags or settings).

import { isError, reasonOf, SluiceError } from "./base/errors.ts";
import { parseInvocation } from "./cli/command_line/flags.ts";
import { textColumns, wrapped } from "./cli/command_line/help_text.ts";
import { commit, REVISIONS_SERVED, VERSION } from "./version.ts";

const ERROR_PREFIX = "sluice: ";

/** Runs the command that `args` name, to its end. @returns the exit code */
export async function run(args: readonly string[]): Promise<number> {
  const invocation = parseInvocation(args);
  // Commands are imported on use, so that the small ones start fast; literal names, so that `deno compile` embeds them.
  switch (invocation.command) {
    case "serve":
      return await (await import("./cli/serve.ts")).serve(invocation.args);
    case "stdio":
      return await (await import("./cli/stdio/stdio.ts")).stdio(invocation.args);
    case "import":
      return await (await import("./cli/import/import.ts")).importFile(invocation.args);
    case "import contextforge":
      return await (await import("./cli/import/contextforge_import.ts")).importContextForge(invocation.args);
    case "connect":
      return await (await import("./cli/connect/connect.ts")).connect(invocation.args);
    case "demo":
      return await (await import("./cli/demo.ts")).demo(invocation.args);
    case "token":
      return await (await import("./cli/token.ts")).token(invocation.args);
    case "token revoke":
      return await (await import("./cli/token_revoke.ts")).tokenRevoke(invocation.args);
    case "token create":
      return await (await import("./cli/people/api_token.ts")).tokenCreate(invocation.args);
    case "token list":
      return await (await import("./cli/people/api_token.ts")).tokenList(invocation.args);
    case "user list":
      return await (await import("./cli/people/user.ts")).userList(invocation.args);
    case "user add":
      return await (await import("./cli/people/user.ts")).userAdd(invocation.args);
    case "user lock":
      return await (await import("./cli/people/user.ts")).userLock(invocation.args);
    case "user unlock":
      return await (await import("./cli/people/user.ts")).userUnlock(invocation.args);
    case "user reset":
      return await (await import("./cli/people/user.ts")).userReset(invocation.args);
    case "user remove":
      return await (await import("./cli/people/user.ts")).userRemove(invocation.args);
    case "role list":
      return await (await import("./cli/people/role.ts")).roleList(invocation.args);
    case "role grant":
      return await (await import("./cli/people/role.ts")).roleGrant(invocation.args);
    case "role revoke":
      return await (await import("./cli/people/role.ts")).roleRevoke(invocation.args);
    case "keys rotate":
      return await (await import("./cli/keys_rotate.ts")).keysRotate(invocation.args);
    case "audit verify":
      return await (await import("./cli/audit.ts")).auditVerify(invocation.args);
    case "audit export":
      return await (await import("./cli/audit.ts")).auditExport(invocation.args);
    case "tools held":
      return await (await import("./cli/tool_approval.ts")).toolsHeld(invocation.args);
    case "tools approve":
      return await (await import("./cli/tool_approval.ts")).decideTools("approve", invocation.args);
    case "tools reject":
      return await (await import("./cli/tool_approval.ts")).decideTools("reject", invocation.args);
    case "metrics alerts":
      return await (await import("./cli/monitoring/monitoring.ts")).metricsAlerts();
    case "metrics dashboard":
      return await (await import("./cli/monitoring/monitoring.ts")).metricsDashboard();
    case "logs":
      return await (await import("./cli/logs.ts")).logs(invocation.args);
    case "backup":
      return await (await import("./cli/backup.ts")).backup(invocation.args);
    case "restore":
      return await (await import("./cli/restore.ts")).restore(invocation.args);
    case "config":
      return (await import("./cli/show_config.ts")).config(invocation.args);
    case "health":
      return await (await import("./cli/monitoring/health.ts")).health(invocation.args);
    case "doctor":
      return await (await import("./cli/doctor/doctor.ts")).doctor(invocation.args);
    case "tune":
      return await (await import("./cli/tune/tune.ts")).tune(invocation.args);
    case "bench":
      return await (await import("./cli/bench/bench.ts")).bench(invocation.args);
    case "bench compare":
      return await (await import("./cli/bench/bench.ts")).benchCompare(invocation.args);
    case "help":
      return await (await import("./cli/help/help.ts")).help(invocation.args);
    case "version":
      console.log(versionText());
      return 0;
    case "usage":
      (invocation.exitCode === 0 ? console.log : console.error)(invocation.text);
      return invocation.exitCode;
  }
}

function versionText(): string {
  return [
    `sluice ${VERSION} (${commit()})`,
    `deno ${Deno.version.deno}`,
    `MCP ${REVISIONS_SERVED.join(", ")}`,
  ].join("\n");
}

/** Prints `error` for the operator, each line once; a terminal breaks no word. @returns the exit code */
export function fail(error: unknown): number {
  const isTerminal = Deno.stderr.isTerminal();
  const columns = textColumns(Deno.stderr) - ERROR_PREFIX.length;
  for (const line of new Set(wordsOf(error).split("\n"))) {
    const shown = isTerminal && line.length > columns ? wrapped(line, columns) : [line];
    for (const part of shown) console.error(ERROR_PREFIX + part);
  }
  if (isTerminal && error instanceof SluiceError && error.code !== "USAGE_INVALID") {
    console.error(`${ERROR_PREFIX}What to do: sluice help errors#${error.code.toLowerCase()}`);
  }
  // An error without a row in the catalogue is a fault of this program: a report of it needs the stack.
  const isExpected = error instanceof SluiceError || error instanceof Deno.errors.NotCapable;
  if (!isExpected && error instanceof Error) console.error(error.stack);
  return isError(error, "USAGE_INVALID") || isError(error, "SETTINGS_INVALID") ? 2 : 1;
}

/** The text of the error's row; its cause only where the text has no room for a reason, as for clients. */
function wordsOf(error: unknown): string {
  const words = reasonOf(error);
  if (!(error instanceof Error) || error.cause === undefined) return words;
  const saysWhy = error instanceof SluiceError && /\{(reason|mistakes|cause)\}/.test(error.row.text);
  return saysWhy ? words : `${words}: ${reasonOf(error.cause)}`;
}

if (import.meta.main) Deno.exit(await run(Deno.args).catch(fail));
