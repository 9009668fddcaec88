// What every other file imports as "fast-check" (deno.json): the library, with the seed that all random tests have in common. A property that fails names it.
import fc from "fast-check";
import { RANDOM_SEED } from "./random_seed.ts";

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: RANDOM_SEED });

export default fc;
