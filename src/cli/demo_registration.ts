// `serve --demo`: starts the demo upstream and registers it through the gateway's REST API if the catalog is empty.

import type { Config } from "../config/schema.ts";
import { reasonOf } from "../base/errors.ts";
import type { TimeServer } from "../demo/time_server.ts";
import { isObject } from "../mcp/json_rpc.ts";
import type { Secrets } from "../store/secrets.ts";
import type { Log } from "../telemetry/log.ts";
import { localUrl } from "./command_line/local_url.ts";
import { mintToken, tokenClaims } from "./token.ts";

/** Marks the registration, so that the next start finds it and leaves an upstream of the same name alone. */
const TAG = "built-in-demo";
const DESCRIPTION = "Sluice's built-in time server";

/** Starts and registers the demo upstream. @returns null if the catalog holds other upstreams: it needs no demo then */
export async function startDemo(
  { config, secrets, log }: { config: Config; secrets: Secrets; log: Log },
): Promise<TimeServer | null> {
  const who = { username: null, expMinutes: 5, admin: true, secret: null, teams: null };
  const claims = tokenClaims(who, config, { nowMs: Date.now(), jti: crypto.randomUUID() });
  const token = await mintToken(claims, secrets.jwtSecretKey, config.jwtAlgorithm);
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(localUrl(config) + path, { method, headers, body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered HTTP ${response.status}: ${text}`);
    return JSON.parse(text);
  };
  const upstreams = (await call("GET", "/gateways?include_inactive=true") as unknown[]).filter(isObject);
  const known = upstreams.find(({ name, tags }) =>
    name === "demo" && JSON.stringify(tags ?? []).includes(`"${TAG}"`)
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
        tags: [TAG],
      };
      await call("POST", "/gateways", registration);
    }
    log.info("demo upstream registered", { url });
  } catch (error) {
    log.error("demo upstream cannot be registered", { reason: reasonOf(error) });
  }
  return server;
}
