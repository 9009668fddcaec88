// The command that the suite's client scenarios start: uses all that the suite's server has, through a fresh gateway.
//
//   deno run -A tests/conformance/client/main.ts [--direct] URL
//
// With --direct there is no gateway in between, only the SDK's client.
import { parseArgs } from "@std/cli/parse-args";
import { Sluice } from "../../support/sluice.ts";
import { createVirtualServer } from "../gateway.ts";
import { drive } from "./drive.ts";

const { direct, _: [url] } = parseArgs(Deno.args, { boolean: ["direct"], string: ["_"] });
const context = JSON.parse(Deno.env.get("MCP_CONFORMANCE_CONTEXT") ?? "{}");
await (direct ? driveDirectly(url!) : driveThroughGateway(url!));

function driveDirectly(url: string): Promise<void> {
  const isLegacy = Deno.env.get("MCP_CONFORMANCE_PROTOCOL_VERSION") === "2025-11-25";
  return drive(url, context, isLegacy ? "legacy" : "auto");
}

/**
 * The client keeps to sessions, so that what 2026-07-28 asks of a client is the gateway's own work. The suite judges every request by
 * one revision, so the gateway is told which the upstream speaks, and does not ask for the other kind as well.
 */
async function driveThroughGateway(url: string): Promise<void> {
  await using sluice = await Sluice.start({ env: { AUTH_REQUIRED: "false" } });
  await sluice.registerUpstream("suite", url, {
    protocol: Deno.env.get("MCP_CONFORMANCE_PROTOCOL_VERSION") ?? "auto",
  });
  await createVirtualServer(sluice, "suite");
  await drive(`${sluice.url}/servers/suite/mcp`, context, "legacy");
}
