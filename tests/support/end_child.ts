// The end of a child process.

/** Sends the signal, unless the child has ended by itself, and waits for its end. */
export async function endChild(
  child: Deno.ChildProcess,
  signal: Deno.Signal = "SIGTERM",
): Promise<Deno.CommandStatus> {
  try {
    child.kill(signal);
  } catch (error) {
    // It has ended, and may have been noticed to have.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
  return await child.status;
}
