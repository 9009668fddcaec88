// Finds out by trial which files an upstream's process can read: modes, groups, access lists and the kernel's rules all count.
import type { Account } from "./account.ts";
import { launcher } from "./process_group.ts";

/** Opens each file for reading, and prints the names of those that it may. */
const SCRIPT = 'for file; do ( : < "$file" ) 2>/dev/null && printf "%s\\0" "$file"; done; exit 0';

/**
 * Those of `files` that a process of an upstream can read.
 * @throws {Error} with the reason if no process can be started as `account`
 */
export async function readableFiles(files: readonly string[], account: Account | null): Promise<string[]> {
  const [command, ...args] = [...launcher(account), "/bin/sh", "-c", SCRIPT, "sh", ...files];
  const { success, stdout, stderr } = await new Deno.Command(command!, {
    args,
    cwd: "/",
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(decoder.decode(stderr).trim());
  return decoder.decode(stdout).split("\0").filter((file) => file !== "");
}
