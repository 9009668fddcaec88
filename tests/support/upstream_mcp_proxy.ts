// A stdio server of another project behind mcp-proxy from npm, which makes a streamable HTTP upstream of all revisions of it.
import { ChildOutput } from "./child_output.ts";
import { freePort } from "./free_port.ts";
import { type NpmProgram, npmProgram } from "./npm_programs.ts";
import { waitFor } from "./wait_for.ts";

export interface ProxiedUpstream extends AsyncDisposable {
  /** Its MCP endpoint. */
  readonly url: string;
}

/** @param server the stdio server and its arguments */
export async function startBehindMcpProxy(
  [server, ...serverArgs]: readonly [NpmProgram, ...string[]],
  env: Readonly<Record<string, string>> = {},
): Promise<ProxiedUpstream> {
  const port = freePort();
  const stdioServer = npmProgram(server, ...serverArgs);
  const { command, args } = npmProgram(
    "mcp-proxy",
    ...["--host", "127.0.0.1", "--port", String(port), "--server", "stream"],
    ...["--", stdioServer.command, ...stdioServer.args],
  );
  const child = new Deno.Command(command, {
    args,
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
