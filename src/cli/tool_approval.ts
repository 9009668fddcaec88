// `sluice tools held`, `approve` and `reject`: changes of upstreams that wait for an approval, at a running gateway.
import type { HeldChange } from "../admin/approvals/held_change.ts";
import type { Difference } from "../admin/approvals/definition_diff.ts";
import { isObject } from "../mcp/json_rpc.ts";
import type { ToolsArgs } from "./commands/command_arguments.ts";
import { connectToGateway, type GatewayClient } from "./command_line/gateway_client.ts";
import { programName } from "./command_line/program_name.ts";
import { usage } from "./command_line/usage.ts";

/** @returns the exit code. @throws {SluiceError} USAGE_INVALID, GATEWAY_UNREACHABLE */
export async function toolsHeld(args: ToolsArgs): Promise<number> {
  return await withChanges(args, (changes) => {
    if (args.json) console.log(JSON.stringify(changes, null, 2));
    else console.log(changes.length === 0 ? "Nothing waits for an approval." : report(changes));
    return Promise.resolve(0);
  });
}

/** @returns the exit code. @throws {SluiceError} USAGE_INVALID, GATEWAY_UNREACHABLE */
export async function decideTools(verdict: "approve" | "reject", args: ToolsArgs): Promise<number> {
  return await withChanges(args, async (changes, client) => {
    const decided = args.hashes.map((hash) => changeWith(hash, changes, verdict));
    for (const [gatewayId, ofGateway] of Map.groupBy(decided, (change) => change.gatewayId)) {
      const body = { changes: ofGateway.map(({ id, hash }) => ({ id, hash })) };
      const path = `/gateways/${encodeURIComponent(gatewayId)}/held/${verdict}`;
      await client.ask("POST", path, JSON.stringify(body));
      for (const change of ofGateway) {
        console.log(`${verdict === "approve" ? "approved" : "rejected"} ${titleOf(change)}`);
      }
    }
    return 0;
  });
}

async function withChanges(
  args: ToolsArgs,
  run: (changes: readonly HeldChange[], client: GatewayClient) => Promise<number>,
): Promise<number> {
  const client = await connectToGateway(args);
  try {
    const path = args.gateway === null ? "/held" : `/gateways/${encodeURIComponent(args.gateway)}/held`;
    const answer = await client.ask("GET", path);
    return await run(Array.isArray(answer) ? answer.filter(isObject) as unknown as HeldChange[] : [], client);
  } finally {
    client.close();
  }
}

/** @throws {SluiceError} USAGE_INVALID */
function changeWith(hash: string, changes: readonly HeldChange[], verdict: string): HeldChange {
  const [change, ...others] = changes.filter((each) => each.hash === hash);
  const command = `tools ${verdict}` as const as "tools approve" | "tools reject";
  if (change === undefined) {
    throw usage([
      `no held change has the hash ${hash}: it was decided, withdrawn, or has changed again. See \`${programName()} tools held\``,
    ], command);
  }
  if (others.length > 0) {
    const names = [change, ...others].map(({ gatewayName }) => gatewayName).join(", ");
    throw usage(
      [`the gateways ${names} have a change with the hash ${hash}; name one by --gateway`],
      command,
    );
  }
  return change;
}

function report(changes: readonly HeldChange[]): string {
  return changes.map((change) => {
    const { change: how, state, heldAt, hash, differences } = change;
    const what = how === "new" ? "is new" : "has changed";
    return [
      `${titleOf(change)} ${what}${state === "rejected" ? ", and was rejected" : ""} (${heldAt})`,
      ...differences.flatMap(differenceLines).map((line) => `  ${line}`),
      `  hash ${hash}`,
    ].join("\n");
  }).join("\n\n");
}

function titleOf({ gatewayName, kind, name }: HeldChange): string {
  return name === "" ? `${gatewayName}: ${kind}` : `${gatewayName}: ${kind} ${name}`;
}

function differenceLines({ member, before, after, diff, suspicions }: Difference): string[] {
  const hidden = suspicions.map(({ kind, count }) => `${kind.replace("_", " ")} (${count})`);
  return [
    member,
    ...(diff?.split("\n").filter((line) => !line.startsWith("@@")) ??
      [...marked("-", before), ...marked("+", after)]),
    ...(hidden.length === 0 ? [] : [`! it hides something: ${hidden.join(", ")}`]),
  ];
}

function marked(sign: string, text: string | null): string[] {
  return text === null ? [] : text.split("\n").map((line) => `${sign}${line}`);
}
