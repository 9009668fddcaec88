// The permissions of the program, as flags of Deno: those of the task `sluice`. The executable has the same.

import config from "../deno.json" with { type: "json" };

/** `--allow-read=/` names the root folder, because a list can be narrowed while the program runs, and `--allow-read` cannot. */
export const PERMISSION_FLAGS: readonly string[] = config.tasks.sluice.command.split(" ").filter((word) =>
  word === "--no-prompt" || word.startsWith("--allow-")
);
