// Which commit is checked out.

const ROOT = new URL("../", import.meta.url).pathname;

/** The short commit, "-dirty" after it where tracked files differ from it; null outside a git checkout. */
export async function gitCommit(): Promise<string | null> {
  const head = await git("rev-parse", "--short=12", "HEAD");
  if (head === null) return null;
  return head + (await git("status", "--porcelain", "--untracked-files=no") ? "-dirty" : "");
}

async function git(...args: string[]): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command("git", { args, cwd: ROOT, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).trim() : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
