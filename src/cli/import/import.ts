// `sluice import FILE`: registers the servers of a client's configuration file at a running gateway.

import type { ImportResult } from "../../admin/imports/server_import.ts";
import { SluiceError } from "../../base/errors.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import { TOOL_APPROVALS } from "../../store/approvals/approval_record.ts";
import type { ImportArgs } from "../commands/command_arguments.ts";
import { connectToGateway, type GatewayClient } from "../command_line/gateway_client.ts";
import { programName } from "../command_line/program_name.ts";
import { usage } from "../command_line/usage.ts";
import { type ConfigFile, readConfigFile, valuesOf } from "./config_file.ts";
import { importReport, isWhole } from "./import_report.ts";
import { Progress } from "./progress.ts";

/**
 * The report goes to standard output, the progress to standard error.
 * @returns the exit code: 1 if the gateway does not have everything that the file enables
 * @throws {SluiceError} CONFIG_FILE_UNUSABLE, USAGE_INVALID, GATEWAY_UNREACHABLE
 */
export async function importFile(args: ImportArgs): Promise<number> {
  const file = readConfigFile(args.file);
  const { values, mistakes } = valuesOf(file, args.inputs, (name) => Deno.env.get(name));
  if (mistakes.length > 0) throw usage(mistakes, "import");
  const { toolApproval } = args;
  if (toolApproval !== null && !TOOL_APPROVALS.some((mode) => mode === toolApproval)) {
    throw usage([`--tool-approval must be off, changed or all, not "${toolApproval}"`], "import");
  }
  const client = await connectToGateway(args);
  try {
    const results = file.entries.length === 0 ? [] : await importAt(client, file, values, args);
    if (args.json) console.log(JSON.stringify({ dryRun: args.dryRun, servers: results }, null, 2));
    else {
      console.log(importReport(results, {
        file: args.file,
        gatewayFlags: flagsOf(args),
        isDryRun: args.dryRun,
        program: programName(),
        hasColour: Deno.stdout.isTerminal() && !Deno.noColor,
      }));
    }
    return results.every(isWhole) ? 0 : 1;
  } finally {
    client.close();
  }
}

async function importAt(
  client: GatewayClient,
  { document, path, entries }: ConfigFile,
  values: Readonly<Record<string, string>>,
  { dryRun, toolApproval }: ImportArgs,
): Promise<ImportResult[]> {
  const body = JSON.stringify({
    ...{ ...document, values, source: path },
    ...(toolApproval === null ? {} : { tool_approval: toolApproval }),
  });
  const progress = new Progress(entries.map(({ name }) => name), {
    write: (text) => Deno.stderr.writeSync(new TextEncoder().encode(text)),
    columns: columnsFor(entries.length),
    isDryRun: dryRun,
  });
  const address = `/import/mcp-servers?progress=true&dry_run=${dryRun}`;
  try {
    for await (const line of client.lines("POST", address, body)) {
      if (!isObject(line)) continue;
      if (line.event === "report") return line.servers as ImportResult[];
      if (line.event === "failed") {
        throw new SluiceError("GATEWAY_UNREACHABLE", { url: client.url, reason: String(line.detail) });
      }
      progress.show(String(line.name), String(line.event === "phase" ? line.phase : line.outcome));
    }
  } finally {
    progress.end();
  }
  throw new SluiceError("GATEWAY_UNREACHABLE", {
    url: client.url,
    reason: "it ended the connection before its report. Run the command again: what is registered stays",
  });
}

function flagsOf({ url, tokenFile }: ImportArgs): string[] {
  return [
    ...(url === null ? [] : ["--url", url]),
    ...(tokenFile === null ? [] : ["--token-file", tokenFile]),
  ];
}

/** The width of the terminal; null: there is none, or its height is less than `lines`, which could not be drawn again. */
function columnsFor(lines: number): number | null {
  if (!Deno.stderr.isTerminal()) return null;
  const { columns, rows } = Deno.consoleSize();
  return lines < rows ? columns : null;
}
