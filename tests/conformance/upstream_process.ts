// The conformance-complete upstream, started as a process of its own.
import { ChildOutput } from "../support/child_output.ts";
import { waitFor } from "../support/wait_for.ts";

/** Which revisions it speaks: all, those with sessions, or 2026-07-28. */
export type Era = "both" | "legacy" | "modern";

export interface ConformanceUpstream extends AsyncDisposable {
  /** Its MCP endpoint. */
  readonly url: string;
}

/** @throws {Error} with its output, where it does not come up */
export async function startConformanceUpstream(era: Era = "both"): Promise<ConformanceUpstream> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", new URL("upstream/main.ts", import.meta.url).pathname, "--era", era],
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
    const url = await waitFor(found, { what: "the conformance upstream's URL", deadlineMs: 60_000 });
    if (typeof url !== "string") throw new Error(`The conformance upstream ended:\n${errors.tail()}`);
    return { url, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
