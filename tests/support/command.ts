// A program run to its end.

/** A load takes minutes on a busy machine. */
const ENDED_AFTER_MS = 240_000;

export interface Ran {
  readonly code: number;
  /** Standard output, then standard error. */
  readonly text: string;
}

/** Runs it with nothing on its standard input. It is ended after `timeoutMs`, which shows as an exit code above 128. */
export async function run(
  program: string,
  args: readonly string[],
  timeoutMs = ENDED_AFTER_MS,
): Promise<Ran> {
  const stopping = new AbortController();
  const timer = setTimeout(() => stopping.abort(), timeoutMs);
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      signal: stopping.signal,
    }).output();
    const decoder = new TextDecoder();
    return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
  } finally {
    clearTimeout(timer);
  }
}
