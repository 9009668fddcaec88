// Peers that are built here, from Go modules and from a crate.
import { freePort } from "../../tests/support/free_port.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { byCargo, byGo, type Crate, crateExecutable, goExecutable, type GoProgram } from "./install.ts";
import { mcpLanes, type Peer, startProgram } from "./peer.ts";
import { goVersion } from "./versions.ts";

const TOOL = "convert_time";

const TBXARK_PROGRAM: GoProgram = {
  folder: "go_tbxark",
  module: "github.com/TBXark/mcp-proxy",
  package: "github.com/TBXark/mcp-proxy",
};

export const TBXARK: Peer = {
  name: "mcp-proxy (TBXark)",
  installation: byGo(TBXARK_PROGRAM),
  version: () => goVersion(TBXARK_PROGRAM),
  settings:
    "one process with a thread for each core, type streamable-http, which keeps no sessions; authenticated by authTokens",
  start: async (start) => {
    const port = freePort();
    const token = crypto.randomUUID();
    const config = {
      mcpProxy: {
        baseURL: `http://127.0.0.1:${port}`,
        addr: `127.0.0.1:${port}`,
        name: "proxy",
        version: "1.0.0",
        type: "streamable-http",
        options: { panicIfInvalid: true, logEnabled: false, authTokens: [token] },
      },
      mcpServers: { time: { transportType: "streamable-http", url: start.upstreamUrl } },
    };
    await Deno.writeTextFile(`${start.folder}/config.json`, JSON.stringify(config));
    const command = { command: goExecutable(TBXARK_PROGRAM), args: ["-config", "config.json"] };
    const started = await startProgram(command, start, port);
    const url = `http://127.0.0.1:${port}/time/mcp`;
    // It listens before it has connected.
    await waitFor(() => hasRoute(url), { what: "TBXark's mcp-proxy and its upstream" });
    return { roots: [started.pid], ...started, lanes: mcpLanes(url, TOOL, ["--token", token]) };
  },
};

const UNLA_PROGRAM: GoProgram = {
  folder: "go_unla",
  module: "github.com/amoylab/unla",
  package: "github.com/amoylab/unla/cmd/mcp-gateway",
};

export const UNLA: Peer = {
  name: "Unla",
  installation: byGo(UNLA_PROGRAM),
  version: () => goVersion(UNLA_PROGRAM),
  settings:
    "its mcp-gateway: one process with a thread for each core, policy onStart, sessions in memory, LOGGER_LEVEL=error, GIN_MODE=release; no authentication",
  start: async (start) => {
    const port = freePort();
    const prefix = "/gateway/time";
    const configurations = [{
      name: "time",
      tenant: "default",
      createdAt: "2026-01-01T00:00:00Z",
      updatedAt: "2026-01-01T00:00:00Z",
      routers: [{ server: "time", prefix }],
      mcpServers: [{ type: "streamable-http", name: "time", url: start.upstreamUrl, policy: "onStart" }],
    }];
    const storage = start.stack.use(
      Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => Response.json(configurations)),
    );
    const settings = {
      port,
      pid: `${start.folder}/pid`,
      reload_interval: "600s",
      reload_switch: true,
      logger: { level: "error", format: "json", output: "stdout" },
      storage: { type: "api", api: { url: `http://127.0.0.1:${storage.addr.port}/`, timeout: "30s" } },
      notifier: {
        role: "receiver",
        type: "signal",
        signal: { signal: "SIGHUP", pid: `${start.folder}/pid` },
      },
      session: { type: "memory" },
      auth: { oauth2: { issuer: "http://127.0.0.1", storage: { type: "memory" } } },
    };
    // JSON is YAML.
    await Deno.writeTextFile(`${start.folder}/mcp-gateway.yaml`, JSON.stringify(settings));
    // It does not start without a template of a page.
    await Deno.mkdir(`${start.folder}/assets/templates`, { recursive: true });
    await Deno.writeTextFile(`${start.folder}/assets/templates/authorize.html`, "");
    const started = await startProgram(
      {
        command: goExecutable(UNLA_PROGRAM),
        args: ["--conf", `${start.folder}/mcp-gateway.yaml`],
        env: { GIN_MODE: "release" },
      },
      start,
      port,
    );
    return {
      roots: [started.pid],
      ...started,
      lanes: mcpLanes(`http://127.0.0.1:${port}${prefix}/mcp`, TOOL),
    };
  },
};

const MCP_PROXY_CRATE: Crate = { name: "mcp-proxy", version: "0.6.0" };

export const RUST_MCP_PROXY: Peer = {
  name: "mcp-proxy (crates.io)",
  installation: byCargo(MCP_PROXY_CRATE),
  version: () => MCP_PROXY_CRATE.version,
  settings:
    "one process with a thread for each core, a time limit of 30 s, without cache and coalescing, log_level error; authenticated by a bearer token",
  start: async (start) => {
    const port = freePort();
    const token = crypto.randomUUID();
    const config = `
[proxy]
name = "proxy"
[proxy.listen]
host = "127.0.0.1"
port = ${port}
[auth]
type = "bearer"
tokens = ["${token}"]
[[backends]]
name = "time"
transport = "http"
url = "${start.upstreamUrl}"
[backends.timeout]
seconds = 30
[observability]
log_level = "error"
`;
    await Deno.writeTextFile(`${start.folder}/proxy.toml`, config);
    const command = { command: crateExecutable(MCP_PROXY_CRATE), args: ["--config", "proxy.toml"] };
    const started = await startProgram(command, start, port);
    const lanes = mcpLanes(`http://127.0.0.1:${port}/`, `time/${TOOL}`, ["--token", token]);
    return { roots: [started.pid], ...started, lanes };
  },
};

async function hasRoute(url: string): Promise<boolean> {
  const answer = await fetch(url, { method: "POST" });
  await answer.body?.cancel();
  return answer.status !== 404;
}
