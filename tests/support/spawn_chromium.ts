// Chromium without a window.
import { findProgram } from "./programs.ts";

/**
 * Starts Chromium, which runs until it is killed. Its standard error is piped.
 * @param profile a folder of its own
 */
export function spawnChromium(
  { profile, url, args = [] }: {
    readonly profile: string;
    readonly url: string;
    readonly args?: readonly string[];
  },
): Deno.ChildProcess {
  return new Deno.Command(findProgram("chromium")!, {
    args: [
      "--headless",
      // Root has no other choice, and the pages are the tests' own.
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      `--user-data-dir=${profile}`,
      // Keeps it open until it is killed.
      "--remote-debugging-port=0",
      ...args,
      url,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}
