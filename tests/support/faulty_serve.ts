// `sluice serve` with workers that have faults on demand; see faulty_worker.ts.
import { parseInvocation } from "../../src/cli/command_line/flags.ts";
import { serve } from "../../src/cli/serve.ts";
import { fail } from "../../src/main.ts";

const invocation = parseInvocation(Deno.args);
if (invocation.command !== "serve") throw new Error("serve only");
Deno.exit(await serve(invocation.args, new URL("./faulty_worker.ts", import.meta.url)).catch(fail));
