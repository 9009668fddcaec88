// A stdio server of another project behind mcp-proxy from npm, which makes a streamable HTTP upstream of all revisions of it.
import { ChildOutput } from "./child_output.ts";
import { freePort } from "./free_port.ts";
import { waitFor } from "./wait_for.ts";

export const MCP_PROXY_PACKAGE = "mcp-proxy@6.7.19";

export interface ProxiedUpstream extends AsyncDisposable {
  /** Its MCP endpoint. */
  readonly url: string;
}

const FROM_NPM = ["run", "-A", "--no-config", "--no-lock", "--quiet"];

/** @param server the npm package of the stdio server with its version, and its arguments */
export async function startBehindMcpProxy(
  [server, ...args]: readonly [string, ...string[]],
  env: Readonly<Record<string, string>> = {},
): Promise<ProxiedUpstream> {
  const port = freePort();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...[...FROM_NPM, `npm:${MCP_PROXY_PACKAGE}`, "--host", "127.0.0.1", "--port", String(port)],
      ...["--server", "stream", "--", Deno.execPath(), ...FROM_NPM, `npm:${server}`, ...args],
    ],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = new ChildOutput(child.stdout, child.stderr);
  let isOver = false;
  const ended = child.status.then(() => isOver = true);
  const stop = async () => {
    // On SIGTERM it ends the server that it started.
    if (!isOver) child.kill("SIGTERM");
    await Promise.all([ended, output.ended]);
  };
  const url = `http://127.0.0.1:${port}/mcp`;
  try {
    await waitFor(async () => {
      if (isOver) return true;
      // Any answer will do: without a session it refuses a GET.
      await (await fetch(url)).body?.cancel();
      return true;
    }, { what: `${server} behind mcp-proxy to answer`, deadlineMs: 120_000, everyMs: 100 });
    if (isOver) throw new Error(`mcp-proxy did not start:\n${output.tail()}`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, [Symbol.asyncDispose]: stop };
}
