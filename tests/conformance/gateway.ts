// The real gateway with the conformance upstream behind a virtual server that changes no name: what the suite is pointed at.
import type { Gateway, Settings, StartGateway } from "../support/gateway.ts";
import { Sluice } from "../support/sluice.ts";
import {
  type ConformanceUpstream,
  startConformanceUpstream,
  type UpstreamRevisions,
} from "./upstream_process.ts";

const SERVER_ID = "conformance";

export interface GatewayUnderTest extends AsyncDisposable {
  /** The virtual server's MCP endpoint, open to callers without a token: the suite cannot send one. */
  readonly url: string;
  readonly sluice: Gateway;
}

/** Before the conformance-complete upstream, which speaks `revisions`. */
export function startGateway(
  revisions: UpstreamRevisions = "both",
  start?: StartGateway,
  env?: Settings,
): Promise<GatewayUnderTest> {
  return startGatewayTo(startConformanceUpstream(revisions), start, env);
}

/** Before an upstream over streamable HTTP. */
export async function startGatewayTo(
  starting: Promise<ConformanceUpstream>,
  start?: StartGateway,
  env?: Settings,
): Promise<GatewayUnderTest> {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await starting);
  const registration = { url: upstream.url, transport: "STREAMABLEHTTP" };
  const gateway = stack.use(await startGatewayWith(registration, env, start));
  const owned = stack.move();
  return { ...gateway, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** One upstream, everything it has in one virtual server. @param registration of the upstream, but its name */
export async function startGatewayWith(
  registration: Readonly<Record<string, unknown>>,
  env: Settings = {},
  start: StartGateway = (env) => Sluice.start({ env }),
): Promise<GatewayUnderTest> {
  await using stack = new AsyncDisposableStack();
  const sluice = stack.use(await start({ AUTH_REQUIRED: "false", ...env }));
  const { status, body } = await sluice.api("POST", "/gateways", { name: "upstream", ...registration });
  if (status !== 200) throw new Error(`The upstream was answered ${status}: ${JSON.stringify(body)}`);
  await createVirtualServer(sluice, SERVER_ID);
  const owned = stack.move();
  return {
    url: `${sluice.url}/servers/${SERVER_ID}/mcp`,
    sluice,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A virtual server of all that the gateway has, under the names that the upstreams gave. */
export async function createVirtualServer(sluice: Gateway, id: string): Promise<void> {
  const all = async (path: string) => (await sluice.api("GET", path)).body;
  const idsOf = (rows: readonly { readonly id: string }[]) => rows.map((row) => row.id);
  const { resource_templates: templates } = await all("/resources/templates/list");
  const { status, body } = await sluice.api("POST", "/servers", {
    server: {
      id,
      name: "conformance",
      naming: "original",
      revisions: "all",
      associated_tools: idsOf(await all("/tools")),
      associated_resources: idsOf([...await all("/resources"), ...templates]),
      associated_prompts: idsOf(await all("/prompts")),
    },
  });
  if (status !== 201) throw new Error(`The virtual server was answered ${status}: ${JSON.stringify(body)}`);
}
