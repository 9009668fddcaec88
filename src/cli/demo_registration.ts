// `serve --demo`: starts the demo upstream and registers it through the gateway's REST API if the catalog is empty.

import type { Config } from "../config/schema.ts";
import { signToken } from "../auth/keys/own_keys.ts";
import { reasonOf } from "../base/errors.ts";
import { DEMO_TAG } from "../demo/demo_tag.ts";
import type { TimeServer } from "../demo/time_server.ts";
import { isObject } from "../mcp/json_rpc.ts";
import type { GatewaySecrets } from "../auth/keys/gateway_secrets.ts";
import type { Log } from "../telemetry/log.ts";
import { createHttp1Client } from "../upstream/http_client/configured_client.ts";
import { localUrl } from "./command_line/local_url.ts";
import { tokenClaims } from "./command_line/claims_of_flags.ts";

const MAX_HEAD_BYTES = 65_536;
/** The list of all upstreams among the answers. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const DESCRIPTION = "Sluice's built-in time server";

/** A request to the gateway's REST API. @returns the answer's body. @throws {Error} if the status is not 2xx */
type Call = (method: "GET" | "POST" | "PUT", path: string, body?: unknown) => Promise<unknown>;

/** Starts and registers the demo upstream. @returns null if the catalog holds other upstreams: it needs no demo then */
export async function startDemo(
  { config, secrets, log }: { config: Config; secrets: GatewaySecrets; log: Log },
): Promise<TimeServer | null> {
  const who = { username: null, expMinutes: 5, admin: true, secret: null, teams: null };
  const claims = tokenClaims(who, config, { nowMs: Date.now(), jti: crypto.randomUUID() });
  const token = await signToken(claims, secrets.tokenKeys);
  const headers = [["authorization", `Bearer ${token}`], ["content-type", "application/json"]] as const;
  // Not `fetch`, which would send these requests to the proxy of the environment.
  const client = createHttp1Client(config, { maxHeadBytes: MAX_HEAD_BYTES, checkAddress: () => {} });
  try {
    return await register(log, async (method, path, body) => {
      const url = new URL(localUrl(config) + path);
      const request = { method, url, headers, body: JSON.stringify(body), upstream: "this gateway" };
      const response = await client.send(request);
      const text = await response.text(MAX_ANSWER_BYTES);
      if (response.status > 299) {
        throw new Error(`${method} ${path} answered HTTP ${response.status}: ${text}`);
      }
      return JSON.parse(text);
    });
  } finally {
    client.close();
  }
}

async function register(log: Log, call: Call): Promise<TimeServer | null> {
  const upstreams = (await call("GET", "/gateways?include_inactive=true") as unknown[]).filter(isObject);
  const known = upstreams.find(({ name, tags }) =>
    name === "demo" && JSON.stringify(tags ?? []).includes(`"${DEMO_TAG}"`)
  );
  if (upstreams.length > 0 && known === undefined) return null;
  // Imported here, so that only a gateway with a demo loads the MCP SDK.
  const { startTimeServer } = await import("../demo/time_server.ts");
  const server = startTimeServer({ hostname: "127.0.0.1", port: 0 });
  const { url } = server;
  try {
    // The port differs at each start.
    if (known !== undefined) await call("PUT", `/gateways/${known.id}`, { url });
    else {
      const registration = {
        name: "demo",
        url,
        transport: "STREAMABLEHTTP",
        description: DESCRIPTION,
        tags: [DEMO_TAG],
      };
      await call("POST", "/gateways", registration);
    }
    log.info("demo upstream registered", { url });
  } catch (error) {
    log.error("demo upstream cannot be registered", { reason: reasonOf(error) });
  }
  return server;
}
