// POST /import/mcp-servers: takes the text of a client's configuration file, with comments as editors write them.
import { SluiceError, toSluiceError } from "../../base/errors.ts";
import { parseJsonc } from "../../client_config/jsonc.ts";
import { importSource } from "../../client_config/entry_source.ts";
import { readServerList, type ServerList } from "../../client_config/server_entries.ts";
import type { LookUp } from "../../client_config/variables.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import { variablesFor } from "../gateways/plain_fields.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { importQuery } from "../rest/queries.ts";
import { importOptions } from "../rest/schemas.ts";
import { type ImportOptions, type ImportResult, importServers } from "./server_import.ts";

/**
 * Registers the servers of the file that the body is. Three more members of the body are not the file's: `values` are those of its
 * variables by name, `source` is where the file lies, and `tool_approval` is that of the gateways that the import makes.
 *
 * With `?progress=true` the answer is a stream of JSON lines: the phase of each server, then the report.
 */
export async function importMcpServers(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const query = validated(importQuery, Object.fromEntries(call.query), ["query"]);
  const body = parseJsonc(await call.text());
  const { entries, defaults } = readServerList(body);
  const { values, source, tool_approval: toolApproval } = validated(
    importOptions,
    isObject(body) ? body : {},
    ["body"],
  );
  const options: ImportOptions = {
    source: importSource(source),
    wait: query.wait,
    isDryRun: query.dry_run,
    toolApproval,
    lookUp: lookUpIn(values, defaults, variablesFor(principal, deps).variable),
    signal: call.signal,
  };
  const report = (results: readonly ImportResult[]) => ({ dryRun: query.dry_run, servers: results });
  if (!query.progress) return ok(report(await importServers(deps, principal, entries, options)));
  const lines = streamOfLines(async (write) => {
    const results = await importServers(deps, principal, entries, {
      ...options,
      onPhase: (name, phase) => write({ event: "phase", name, phase }),
      onResult: (result) => write({ event: "result", ...result }),
    });
    write({ event: "report", ...report(results) });
  });
  return { status: 200, body: lines, headers: { "content-type": "application/x-ndjson" } };
}

/** Values that came with the request win over the gateway's environment, and that over what the file proposes. */
function lookUpIn(
  values: Readonly<Record<string, string>>,
  defaults: ServerList["defaults"],
  variable: (name: string) => string | undefined,
): LookUp {
  const own = (record: Readonly<Record<string, string>>, name: string) =>
    Object.hasOwn(record, name) ? record[name] : undefined;
  return ({ kind, name }) =>
    own(values, name) ??
      (kind === "env" ? variable(name) : kind === "input" ? own(defaults, name) : undefined);
}

/** A response body of JSON lines. A failure becomes the last line. */
function streamOfLines(
  run: (write: (value: unknown) => void) => Promise<void>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async start(controller) {
      let isOpen = true;
      const write = (value: unknown) => {
        if (!isOpen) return;
        try {
          controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
        } catch {
          isOpen = false; // The client has left.
        }
      };
      try {
        await run(write);
      } catch (error) {
        const failure = toSluiceError(error);
        write({
          event: "failed",
          code: failure.code,
          detail: new SluiceError(failure.code, failure.params).message,
        });
      }
      if (isOpen) controller.close();
    },
  });
}
