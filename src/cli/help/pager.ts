// Shows a text in the operator's pager, if a person reads it.

/** Prints `text` if standard output is not a terminal, or without a pager. */
export async function page(text: string): Promise<void> {
  const isDumb = (Deno.env.get("TERM") ?? "dumb") === "dumb";
  if (!Deno.stdout.isTerminal() || isDumb || !await showIn(Deno.env.get("PAGER") || "less", text)) {
    console.log(text);
  }
}

/** @returns false: there is no such pager, or this executable may start no programs */
async function showIn(pager: string, text: string): Promise<boolean> {
  if (pager === "cat") return false;
  // An interrupt is for the pager: without this, the shell would get the terminal back while the pager still reads from it.
  const ignore = () => {};
  Deno.addSignalListener("SIGINT", ignore);
  try {
    const child = new Deno.Command("sh", {
      args: ["-c", pager],
      // As git has it: a text that fits is left on the screen, and styles are shown.
      env: { LESS: Deno.env.get("LESS") ?? "FRX" },
      stdin: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    // A reader who has seen enough closes the pager before it has read everything.
    await writer.write(new TextEncoder().encode(`${text}\n`)).then(() => writer.close()).catch(() => {});
    const { code } = await child.status;
    return code !== NOT_FOUND;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return false;
    throw error;
  } finally {
    Deno.removeSignalListener("SIGINT", ignore);
  }
}

/** The shell's exit code for a command that does not exist. */
const NOT_FOUND = 127;
