// What a load run compares: a bare echo, a bare relay, a fast upstream called directly, and the same call through the gateway.

import { freePort } from "../../tests/support/free_port.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import type { LoadRequest } from "./load_client.ts";

export interface Target {
  readonly name: string;
  /** The process whose CPU and memory the row tells. */
  readonly pid: number;
  readonly request: LoadRequest;
}

export interface Targets extends AsyncDisposable {
  readonly targets: readonly Target[];
}

const ROOT = new URL("../../", import.meta.url).pathname;
const REVISION = "2025-11-25";
const JSON_HEADERS = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
};
const ARGUMENTS = {
  time: "2026-01-15T09:00",
  source_timezone: "Europe/Berlin",
  target_timezone: "Europe/Dublin",
};
/** Part of the answer's text as it stands in the reply: JSON within JSON. */
const EXPECTED = String.raw`\"datetime\":\"2026-01-15T08:00:00+00:00\"`;

/** Starts all servers, each in a process of its own. `program`: a compiled gateway; default: from source. */
export async function startTargets(
  { workers, program }: { workers: number; program?: string },
): Promise<Targets> {
  await using stack = new AsyncDisposableStack();
  const echo = await startEcho(stack);
  const upstream = await startServer(stack, ["tests/support/fast_upstream.ts"], (port) => [String(port)]);
  const relay = await startServer(
    stack,
    ["bench/load/relay_server.ts"],
    (port) => [`${port}`, `${upstream.port}`],
  );
  const sluice = stack.use(
    await Sluice.start({ program, env: { WORKERS: String(workers), LOG_LEVEL: "WARNING" } }),
  );
  await sluice.registerUpstream("time", `http://127.0.0.1:${upstream.port}/mcp`);
  const authorization = `Bearer ${await sluice.token()}`;

  const direct = toolsCall("convert_time");
  const through = toolsCall("time-convert-time");
  const session = await openSession(sluice.url, authorization);
  const targets: Target[] = [
    echo,
    { name: "bare relay", pid: relay.pid, request: { ...direct, port: relay.port, path: "/" } },
    { name: "upstream direct", pid: upstream.pid, request: { ...direct, port: upstream.port, path: "/mcp" } },
    {
      name: "sluice /rpc",
      pid: sluice.pid,
      request: { ...through, port: sluice.port, path: "/rpc", headers: { ...JSON_HEADERS, authorization } },
    },
    {
      name: "sluice /mcp",
      pid: sluice.pid,
      request: {
        ...through,
        port: sluice.port,
        path: "/mcp",
        headers: {
          ...JSON_HEADERS,
          authorization,
          "mcp-session-id": session,
          "mcp-protocol-version": REVISION,
        },
      },
    },
  ];
  const started = stack.move();
  return { targets, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** It sends the body back, so that is what is expected of it. @param threads that share its port */
export async function startEcho(stack: AsyncDisposableStack, threads = 1): Promise<Target> {
  const args = (port: number) => [String(port), String(threads)];
  const { port, pid } = await startServer(stack, ["bench/load/echo_server.ts"], args);
  return {
    name: "bare echo",
    pid,
    request: { ...toolsCall("convert_time"), port, path: "/", expected: "convert_time" },
  };
}

function toolsCall(name: string): Omit<LoadRequest, "port" | "path"> {
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name, arguments: ARGUMENTS },
  });
  return { headers: JSON_HEADERS, body, expected: EXPECTED };
}

async function startServer(
  stack: AsyncDisposableStack,
  program: readonly string[],
  portArgs: (port: number) => string[],
): Promise<{ port: number; pid: number }> {
  const port = freePort();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", ...program, ...portArgs(port)],
    cwd: ROOT,
    stdin: "null",
    stdout: "null",
  }).spawn();
  stack.defer(async () => {
    child.kill("SIGTERM");
    await child.status;
  });
  await waitFor(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    await response.body?.cancel();
    return true;
  }, { what: program.join(" ") });
  return { port, pid: child.pid };
}

async function openSession(url: string, authorization: string): Promise<string> {
  const post = (message: unknown, headers: Record<string, string> = {}) =>
    fetch(`${url}/mcp`, {
      method: "POST",
      headers: { ...JSON_HEADERS, authorization, ...headers },
      body: JSON.stringify(message),
    });
  const params = { protocolVersion: REVISION, capabilities: {}, clientInfo: { name: "load", version: "1" } };
  const opened = await post({ jsonrpc: "2.0", id: 0, method: "initialize", params });
  await opened.text();
  const session = opened.headers.get("mcp-session-id");
  if (session === null) throw new Error(`initialize was answered ${opened.status} without a session`);
  const ready = await post({ jsonrpc: "2.0", method: "notifications/initialized" }, {
    "mcp-session-id": session,
    "mcp-protocol-version": REVISION,
  });
  await ready.text();
  return session;
}
