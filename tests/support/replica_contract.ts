// What replicas promise each other, however they hear: a change that one has written is at the other within a bound.
import { assertEquals } from "@std/assert";
import { assertWithin } from "./pace.ts";
import { waitFor } from "./wait_for.ts";

/** Two replicas on one database, less their workers. */
export interface TwoReplicas {
  /** The first writes a change and tells of it as its settings say. @returns the version that the catalog has by it */
  change(): Promise<string>;
  /** The version that the second has read. */
  readonly seen: string | null;
  /** How long until a change must be seen, ms. */
  readonly boundMs: number;
  /** From now on nothing that is told reaches the second. */
  cutOff(): Promise<void>;
  reconnect(): Promise<void>;
  dispose(): Promise<void>;
}

/** The suite's tests, for `Deno.test` in the test's own file. @param name of the way they hear, for the tests' names */
export function replicaContract(
  name: string,
  open: () => Promise<TwoReplicas>,
  { ignore = false } = {},
): Deno.TestDefinition[] {
  const tests: Deno.TestDefinition[] = [];
  const test = (criterion: string, run: (replicas: TwoReplicas) => Promise<void>) =>
    tests.push({
      name: `Replicas, ${name}: ${criterion}`,
      ignore,
      fn: async () => {
        const replicas = await open();
        try {
          await run(replicas);
        } finally {
          await replicas.dispose();
        }
      },
    });

  /** @returns how long it took, ms */
  const untilSeen = async (replicas: TwoReplicas, version: string): Promise<number> => {
    const from = performance.now();
    const what = `version ${version} at the other replica`;
    await waitFor(() => replicas.seen === version, { what, everyMs: 2 });
    return performance.now() - from;
  };

  test("a change is seen by the other within the bound, time after time (timed)", async (replicas) => {
    const took: number[] = [];
    for (let i = 0; i < 10; i++) took.push(await untilSeen(replicas, await replicas.change()));
    // The median: a test machine that is busy with something else is late now and then.
    const median = took.sort((a, b) => a - b)[5]!;
    await assertWithin(median, replicas.boundMs, `The change (${took.map(Math.round)} ms)`);
  });

  test("of many changes at once the last is seen", async (replicas) => {
    const versions = await Promise.all(Array.from({ length: 30 }, () => replicas.change()));
    await untilSeen(replicas, versions.toSorted((a, b) => parseInt(a) - parseInt(b)).at(-1)!);
    assertEquals(new Set(versions).size, 30);
  });

  test("a change that was told of while the other could not hear is seen when it can again", async (replicas) => {
    await untilSeen(replicas, await replicas.change());
    await replicas.cutOff();
    const version = await replicas.change();
    await replicas.reconnect();
    await untilSeen(replicas, version);
  });
  return tests;
}
