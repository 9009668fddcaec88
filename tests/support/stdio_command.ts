// `sluice stdio` as a client starts it, and its process with the pipes laid bare.
import { ChildOutput } from "./child_output.ts";
import { FROM_SOURCE } from "./cli.ts";
import type { StdioCommand } from "./duplex_clients.ts";

/** `sluice stdio` from source, on the database in `cwd`. */
export function stdioCommand(cwd: string, ...args: string[]): StdioCommand {
  const [command, ...fromSource] = FROM_SOURCE;
  return {
    command: command!,
    args: [...fromSource, "stdio", ...args],
    env: {
      PATH: Deno.env.get("PATH") ?? "",
      HOME: Deno.env.get("HOME") ?? "/",
      SSRF_ALLOW_LOCALHOST: "true",
    },
    cwd,
  };
}

/** The process with its pipes, for what no client would do. */
export function spawnStdio({ command, args, env, cwd }: StdioCommand) {
  const child = new Deno.Command(command, {
    args: [...args],
    env: { ...env },
    clearEnv: true,
    cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const stdout = new ChildOutput(child.stdout);
  const stderr = new ChildOutput(child.stderr);
  return {
    child,
    stderr,
    writer,
    say: (message: unknown) => writer.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`)),
    sayBytes: (bytes: Uint8Array<ArrayBuffer>) => writer.write(bytes),
    // deno-lint-ignore no-explicit-any -- answers of every shape; what is read is asserted
    messages: (): any[] => stdout.lines.map((line) => JSON.parse(line)),
    ended: async () => {
      const { code } = await child.status;
      await Promise.all([stdout.ended, stderr.ended]);
      return code;
    },
  };
}
