// The seed of tests that draw at random. A run of the whole in CI draws the same each time, so that it tells about the change that it
// tries; elsewhere each run draws anew, and finds what nobody has thought of.

/** RANDOM_SEED repeats the draws of a run that failed. */
export const RANDOM_SEED = Number(
  Deno.env.get("RANDOM_SEED") ?? (Deno.env.has("CI") ? 1 : Math.floor(Math.random() * 2 ** 31)),
);
