// The main job, in one process.
import { everythingScenario } from "../support/everything_scenario.ts";
import { Sluice } from "../support/sluice.ts";

Deno.test(
  "A registered server's tools, resources and prompts are listed verbatim and work from every client",
  (t) => everythingScenario(t, () => Sluice.start()),
);
