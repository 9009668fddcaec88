// Tries what a gateway that serves must not be able to do, and tells the result on standard error.

/** By what is tried: "done", or the name of the error. */
export type Probe = Readonly<Record<string, string>>;

/** What the gateway must not be able to do, by permission. */
const TRIES: Readonly<Record<string, () => unknown>> = {
  run: () => new Deno.Command("true").outputSync(),
  ffi: () => Deno.dlopen("libc.so.6", {}),
  read: () => Deno.readTextFileSync("/etc/passwd"),
  write: () => Deno.writeTextFileSync(".env", "STDIO_ENABLED=true\n"),
  sys: () => Deno.osRelease(),
};

/** Writes a line that `probesOf()` finds. @param thread whose probe this is */
export function reportProbe(thread: string): void {
  const probe = Object.fromEntries(Object.entries(TRIES).map(([name, tryIt]) => [name, outcome(tryIt)]));
  console.error(JSON.stringify({ thread, probe }));
}

/** The last probe of each thread. @param lines of standard error */
export function probesOf(lines: readonly string[]): ReadonlyMap<string, Probe> {
  const reports = lines.filter((line) => line.startsWith('{"thread"')).map((line) => JSON.parse(line));
  return new Map(reports.map(({ thread, probe }) => [thread, probe]));
}

function outcome(tryIt: () => unknown): string {
  try {
    tryIt();
    return "done";
  } catch (error) {
    return (error as Error).name;
  }
}
