// The MCP step: what a registration would find: revisions, sessions, lists, and what is wrong with them. The code of the gateway asks.
import type { Config } from "../../../config/schema.ts";
import { LATEST_SESSION_REVISION, STATELESS_REVISION } from "../../../mcp/revisions.ts";
import { createSecretBox } from "../../../store/secret_box.ts";
import type { Discovery } from "../../../store/registry/rows.ts";
import { createLog } from "../../../telemetry/log.ts";
import { Metrics } from "../../../telemetry/metrics.ts";
import { NOTHING_FOUND } from "../../../upstream/discover.ts";
import { createDiscover } from "../../../worker/wiring/discovery.ts";
import { createOutbound } from "../../../worker/wiring/outbound.ts";
import { isWebSocketUrl } from "../../commands/flag_values.ts";
import { counted } from "../finding.ts";
import type { Registration, StepResult, UpstreamTarget } from "./step.ts";

/** How many faults of lists are shown. */
const MAX_FAULTS = 10;

/** Above this time for a connection with all lists, calls may be slow too. */
const SLOW_MS = 2_000;

/** @throws {SluiceError} as a registration would */
export async function readMcp(
  { url, headers, caCertificate }: UpstreamTarget,
  config: Config,
): Promise<{ result: StepResult; registration: Registration }> {
  const metrics = new Metrics(1);
  const log = createLog({ level: "ERROR", format: "text", sink: { write: () => {} } });
  // Nothing is sealed: the credentials are those of the command line.
  const secretBox = await createSecretBox(crypto.randomUUID());
  const outbound = createOutbound(config, {
    tokens: null,
    endedTokens: null,
    connections: null,
    secretBox,
    log,
    metrics,
  });
  // The address does not tell streamable HTTP from SSE.
  const given = isWebSocketUrl(url.href) ? "WEBSOCKET" : "STREAMABLEHTTP";
  const began = performance.now();
  try {
    const discovery = await createDiscover(config, metrics, outbound)(
      {
        transport: given,
        upstream: url.host,
        url,
        headers,
        ...(caCertificate === null ? {} : { caCertificate }),
      },
      { protocol: "auto", ...NOTHING_FOUND },
      { isTransportOpen: given === "STREAMABLEHTTP" },
    );
    const transport = discovery.transport === "SSE" ? "SSE" : given;
    return {
      result: judge(discovery, transport, performance.now() - began),
      registration: { transport, stateful: discovery.stateful },
    };
  } finally {
    await outbound.close();
  }
}

function judge(discovery: Discovery, transport: Registration["transport"], ms: number): StepResult {
  const { skipped, warnings } = discovery;
  const faults = [
    ...skipped.map(({ kind, name, reason }) => `${kind} ${name} is left out: ${reason}.`),
    ...warnings.map(({ list, name, reason }) => `${list}${name ? ` (${name})` : ""}: ${reason}.`),
  ];
  const isSlow = ms > SLOW_MS;
  return {
    outcome: faults.length > 0 || isSlow ? "attention" : "works",
    found: [
      ...describe(discovery, transport),
      ...(isSlow ? [`The session and the lists took ${(ms / 1000).toFixed(1)} s.`] : []),
      ...faults.slice(0, MAX_FAULTS),
      ...(faults.length > MAX_FAULTS ? [`${faults.length - MAX_FAULTS} more entries have faults.`] : []),
    ],
    ...(faults.length > 0
      ? { remedy: "Correct these entries in the server. The gateway works without them." }
      : isSlow
      ? { remedy: "Look at the load of the server. Calls that take longer than TOOL_TIMEOUT fail." }
      : {}),
  };
}

const OVER: Readonly<Record<Registration["transport"], string>> = {
  STREAMABLEHTTP: "",
  SSE: " over the older SSE transport",
  WEBSOCKET: " over WebSocket",
};

function describe(discovery: Discovery, transport: Registration["transport"]): string[] {
  const { serverInfo, protocols, stateful, tools, resources, resourceTemplates, prompts } = discovery;
  const program = [serverInfo?.name, serverInfo?.version].filter((each) => typeof each === "string").join(
    " ",
  );
  const count = (list: readonly unknown[] | null, noun: string) =>
    list === null ? `no answer to its list of ${noun}s` : counted(list.length, noun);
  return [
    `${program === "" ? "The server" : program} speaks MCP ${protocols.join(" and ")}${OVER[transport]}.`,
    ...(protocols.includes(STATELESS_REVISION) || protocols.includes(LATEST_SESSION_REVISION)
      ? []
      : [`Its revision is older than ${LATEST_SESSION_REVISION}: newer features do not reach it.`]),
    stateful
      ? "It keeps sessions: by default each client session gets a session of its own there."
      : "It keeps no session: all callers share its connections.",
    `It has ${count(tools, "tool")}, ${count(resources, "resource")}, ${
      count(resourceTemplates, "resource template")
    }, ${count(prompts, "prompt")}.`,
  ];
}
