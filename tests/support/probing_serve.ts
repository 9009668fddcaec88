// `sluice serve` whose main thread and workers report again and again what they could do.
import { parseInvocation } from "../../src/cli/command_line/flags.ts";
import { serve } from "../../src/cli/serve.ts";
import { fail } from "../../src/main.ts";
import { reportProbe } from "./permission_probe.ts";

const invocation = parseInvocation(Deno.args);
if (invocation.command !== "serve") throw new Error("serve only");
const running = serve(invocation.args, new URL("./probing_worker.ts", import.meta.url)).catch(fail);
// Not at once: a probe must not find the permissions of the start, and plant its file.
const timer = setInterval(() => {
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") reportProbe("main");
}, 100);
const code = await running;
clearInterval(timer);
Deno.exit(code);
