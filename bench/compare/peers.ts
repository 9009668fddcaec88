// The programs that are compared. Each is configured as its own documentation recommends for production, with the workers that it has.
import { freePort } from "../../tests/support/free_port.ts";
import { nodeProgram } from "../../tests/support/npm_programs.ts";
import { findProgram } from "../../tests/support/programs.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { RUST_MCP_PROXY, TBXARK, UNLA } from "./built_peers.ts";
import { CONTEXTFORGE } from "./contextforge.ts";
import { BY_NPM, byPip, FOLDER, packagesOf, type PythonPackages } from "./install.ts";
import {
  ARGUMENTS,
  type Command,
  type Lane,
  mcpLanes,
  type Peer,
  startProgram,
  stdioUpstream,
  WORKERS,
} from "./peer.ts";
import { npmVersion, pythonVersion } from "./versions.ts";

const TOOL = "convert_time";

const FASTMCP: Peer = {
  name: "FastMCP proxy",
  installation: byPip("fastmcp"),
  version: () => pythonVersion("fastmcp", "fastmcp"),
  settings: `create_proxy(URL).http_app(stateless_http=True), ${WORKERS} Uvicorn workers; no authentication`,
  start: async (start) => {
    const port = freePort();
    const target = JSON.stringify(start.upstreamUrl);
    const script =
      `from fastmcp.server import create_proxy\napp = create_proxy(${target}, name="proxy").http_app(stateless_http=True)\n`;
    await Deno.writeTextFile(`${start.folder}/proxy.py`, script);
    const uvicorn = ["-m", "uvicorn", "proxy:app", "--workers", String(WORKERS), "--log-level", "warning"];
    const started = await startProgram(
      python("fastmcp", [...uvicorn, "--port", String(port)], start.folder),
      start,
      port,
    );
    return { roots: [started.pid], ...started, lanes: [mcpLanes(`http://127.0.0.1:${port}/mcp`, TOOL)[0]!] };
  },
};

const LITELLM: Peer = {
  name: "LiteLLM",
  installation: byPip("litellm"),
  version: () => pythonVersion("litellm", "litellm"),
  settings:
    `its MCP gateway, Granian with ${WORKERS} workers, LITELLM_LOG=ERROR; authenticated by its master key`,
  start: async (start) => {
    const port = freePort();
    const key = `sk-${crypto.randomUUID()}`;
    // JSON is YAML.
    const config = {
      model_list: [],
      general_settings: { master_key: key },
      mcp_servers: { time: { url: start.upstreamUrl, transport: "http" } },
    };
    await Deno.writeTextFile(`${start.folder}/config.yaml`, JSON.stringify(config));
    const run = "from litellm.proxy.proxy_cli import run_server; run_server()";
    const options = [
      "--config",
      "config.yaml",
      "--host",
      "127.0.0.1",
      "--num_workers",
      String(WORKERS),
      "--run_granian",
    ];
    const command = python("litellm", ["-c", run, ...options, "--port", String(port)], start.folder);
    const started = await startProgram(
      { ...command, env: { ...command.env, LITELLM_LOG: "ERROR" } },
      start,
      port,
    );
    const keyHeader = ["--header", `x-litellm-api-key: Bearer ${key}`];
    return {
      roots: [started.pid],
      ...started,
      lanes: [mcpLanes(`http://127.0.0.1:${port}/mcp/`, `time-${TOOL}`, keyHeader)[0]!],
    };
  },
};

const PYTHON_MCP_PROXY: Peer = {
  name: "mcp-proxy (PyPI)",
  installation: byPip("mcp_proxy"),
  version: () => pythonVersion("mcp_proxy", "mcp_proxy"),
  settings: "one process, stdio upstream; no authentication",
  start: async (start) => {
    const port = freePort();
    const options = [
      "-m",
      "mcp_proxy",
      "--host",
      "127.0.0.1",
      "--port",
      String(port),
      "--pass-environment",
      "--log-level",
      "ERROR",
    ];
    const command = python("mcp_proxy", [...options, "--", ...stdioUpstream()], start.folder);
    const started = await startProgram(command, start, port);
    return { roots: [started.pid], ...started, lanes: mcpLanes(`http://127.0.0.1:${port}/mcp`, TOOL) };
  },
};

const NODE_MCP_PROXY: Peer = {
  name: "mcp-proxy (npm)",
  installation: BY_NPM,
  version: () => npmVersion("mcp-proxy"),
  settings: "one process, stdio upstream, --server stream --no-eventStore; no authentication",
  start: async (start) => {
    const port = freePort();
    const options = ["--host", "127.0.0.1", "--port", String(port), "--server", "stream", "--no-eventStore"];
    const started = await startProgram(
      node("mcp-proxy", [...options, "--", ...stdioUpstream()]),
      start,
      port,
    );
    return { roots: [started.pid], ...started, lanes: mcpLanes(`http://127.0.0.1:${port}/mcp`, TOOL) };
  },
};

const SUPERGATEWAY: Peer = {
  name: "supergateway",
  installation: BY_NPM,
  version: () => npmVersion("supergateway"),
  settings: "one process, --stateful: a stdio upstream for each session; no authentication",
  start: async (start) => {
    const port = freePort();
    const options = [
      "--stdio",
      stdioUpstream().join(" "),
      "--outputTransport",
      "streamableHttp",
      "--stateful",
    ];
    const command = node("supergateway", [...options, "--port", String(port), "--logLevel", "none"]);
    const started = await startProgram(command, start, port);
    return { roots: [started.pid], ...started, lanes: mcpLanes(`http://127.0.0.1:${port}/mcp`, TOOL) };
  },
};

const MCP_HUB: Peer = {
  name: "mcp-hub",
  installation: BY_NPM,
  version: () => npmVersion("mcp-hub"),
  settings:
    "one process, over its REST API: to MCP clients it offers HTTP+SSE of 2024-11-05 alone; no authentication",
  start: async (start) => {
    const port = freePort();
    const config = { mcpServers: { time: { url: start.upstreamUrl } } };
    await Deno.writeTextFile(`${start.folder}/config.json`, JSON.stringify(config));
    const options = ["--port", String(port), "--config", `${start.folder}/config.json`];
    const started = await startProgram(node("mcp-hub", options), start, port);
    const body = JSON.stringify({ server_name: "time", tool: TOOL, arguments: ARGUMENTS });
    // It listens before it has connected.
    const isReady = async () => {
      const [method, headers] = ["POST", { "content-type": "application/json" }] as const;
      const answer = await fetch(`http://127.0.0.1:${port}/api/servers/tools`, { method, headers, body });
      return (await answer.text()).includes("datetime");
    };
    await waitFor(isReady, { what: "mcp-hub and its upstream" });
    const request = {
      port,
      path: "/api/servers/tools",
      headers: { "content-type": "application/json" },
      body,
      expected: String.raw`\"datetime\":\"2026-01-15T08:00:00+00:00\"`,
    };
    const lanes: Lane[] = [{ name: "REST", load: { by: "wrk", request } }];
    return { roots: [started.pid], ...started, lanes };
  },
};

/** In the order of the table. */
export const PEERS: readonly Peer[] = [
  CONTEXTFORGE,
  LITELLM,
  RUST_MCP_PROXY,
  UNLA,
  TBXARK,
  FASTMCP,
  PYTHON_MCP_PROXY,
  NODE_MCP_PROXY,
  SUPERGATEWAY,
  MCP_HUB,
];

/** Programs that belong into the comparison, and why they are not in it. */
export const LACKING =
  "Missing: agentgateway, which no registry of packages offers, and docker/mcp-gateway, which cannot be built from its Go module: it needs " +
  "docker/secrets-engine/x v0.1.0-do.not.use, which the module proxy does not have.";

function python(packages: PythonPackages, args: readonly string[], folder: string): Command {
  const path = `${packagesOf(packages)}:${folder}`;
  return { command: findProgram("python3")!, args, env: { PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: "1" } };
}

function node(name: string, args: readonly string[]): Command {
  return {
    command: nodeProgram(),
    args: [Deno.realPathSync(`${FOLDER}node_modules/.bin/${name}`), ...args],
    env: { NODE_ENV: "production" },
  };
}
