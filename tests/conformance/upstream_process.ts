// The upstreams of the suite, each started as a process of its own.
import { ChildOutput } from "../support/child_output.ts";
import { waitFor } from "../support/wait_for.ts";

/** Which revisions it speaks: all, those with sessions, or 2026-07-28. */
export type UpstreamRevisions = "both" | "sessions" | "stateless";

export interface ConformanceUpstream extends AsyncDisposable {
  /** Its MCP endpoint. */
  readonly url: string;
}

/** The conformance-complete one. @throws {Error} with its output, where it does not come up */
export function startConformanceUpstream(
  revisions: UpstreamRevisions = "both",
): Promise<ConformanceUpstream> {
  return start("upstream/main.ts", ["--revisions", revisions]);
}

/** The one with the tasks extension. @throws {Error} likewise */
export function startTaskServer(): Promise<ConformanceUpstream> {
  return start("tasks/main.ts", []);
}

async function start(script: string, args: readonly string[]): Promise<ConformanceUpstream> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", new URL(script, import.meta.url).pathname, ...args],
    cwd: new URL("../../", import.meta.url).pathname,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = new ChildOutput(child.stdout);
  const errors = new ChildOutput(child.stderr);
  let isOver = false;
  const ended = child.status.then(() => isOver = true);
  const stop = async () => {
    if (!isOver) child.kill("SIGKILL");
    await Promise.all([ended, output.ended, errors.ended]);
  };
  try {
    const found = () => isOver || output.lines.find((line) => line.startsWith("http://"));
    const url = await waitFor(found, { what: `the URL of ${script}` });
    if (typeof url !== "string") throw new Error(`${script} ended:\n${errors.tail()}`);
    return { url, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
