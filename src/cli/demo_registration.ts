// `serve --demo`: starts the built-in time server and registers it by the gateway's own REST API, where the catalog is empty.
import type { Config } from "../config/schema.ts";
import { reasonOf } from "../base/errors.ts";
import { isObject, type JsonObject } from "../mcp/json_rpc.ts";
import type { Secrets } from "../store/secrets.ts";
import type { Log } from "../telemetry/log.ts";
import { type DemoServer, startDemoServer } from "../demo/demo_server.ts";
import { localUrl } from "./command_line/local_url.ts";
import { mintToken, tokenClaims } from "./token.ts";

const DEMO_NAME = "demo";

const DEMO_TAG = "built-in-demo";

export interface DemoRegistration {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly log: Log;
}

/** The running demo server, registered; null where the catalog holds other things, and needs no demo. */
export async function startDemo({ config, secrets, log }: DemoRegistration): Promise<DemoServer | null> {
  const token = await adminToken(config, secrets);
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${localUrl(config)}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered HTTP ${response.status}: ${text}`);
    return JSON.parse(text);
  };
  const gateways = (await call("GET", "/gateways?include_inactive=true") as unknown[]).filter(isObject);
  const known = gateways.find(isDemo);
  if (gateways.length > 0 && known === undefined) return null;
  const server = startDemoServer({ hostname: "127.0.0.1", port: 0 });
  try {
    // Its port is another one at each start.
    if (known !== undefined) await call("PUT", `/gateways/${known.id}`, { url: server.url });
    else {
      await call("POST", "/gateways", {
        name: DEMO_NAME,
        url: server.url,
        transport: "STREAMABLEHTTP",
        description: "Sluice's built-in time server",
        tags: [DEMO_TAG],
      });
    }
    log.info("demo upstream registered", { url: server.url });
  } catch (error) {
    log.error("demo upstream cannot be registered", { reason: reasonOf(error) });
  }
  return server;
}

function isDemo({ name, tags }: JsonObject): boolean {
  return name === DEMO_NAME && Array.isArray(tags) &&
    tags.some((tag) => tag === DEMO_TAG || (isObject(tag) && tag.id === DEMO_TAG));
}

async function adminToken(config: Config, { jwtSecretKey }: Secrets): Promise<string> {
  const args = { username: null, expMinutes: 5, admin: true, secret: null, teams: null };
  const claims = tokenClaims(args, config, { nowMs: Date.now(), jti: crypto.randomUUID() });
  return await mintToken(claims, jwtSecretKey, config.jwtAlgorithm);
}
