// Two replicas on one SQLite file, each asked by its own address.
import { post } from "./mcp_post.ts";
import { Sluice } from "./sluice.ts";
import { waitFor } from "./wait_for.ts";

type Settings = Readonly<Record<string, string>>;

/**
 * Runs a test's body with two replicas of two workers each, and ends them.
 * @param settings of both
 * @param own of each alone, over these
 */
export async function withTwo(
  run: (one: Sluice, other: Sluice, token: string) => Promise<void>,
  settings: Settings = {},
  own: readonly [Settings, Settings] = [{}, {}],
): Promise<void> {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_two_" });
  const env = {
    LOG_LEVEL: "INFO",
    JWT_SECRET_KEY: crypto.randomUUID().repeat(2),
    REPLICA_TTL: "2",
    ...settings,
  };
  const replicas: Sluice[] = [];
  try {
    for (const its of own) replicas.push(await Sluice.start({ cwd, env: { ...env, ...its } }));
    const [one, other] = replicas as [Sluice, Sluice];
    await run(one, other, await one.token());
  } finally {
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
    await Deno.remove(cwd, { recursive: true });
  }
}

/** Over connections of their own: each worker gets some. */
const LOOKS = 20;

/** Every worker of the replica, which looks for changes every few seconds, lists the tool. */
export async function known(replica: Sluice, tool: string): Promise<void> {
  await listed(replica, tool, true);
}

/** No worker of the replica lists the tool any more. */
export async function unknown(replica: Sluice, tool: string): Promise<void> {
  await listed(replica, tool, false);
}

async function listed(replica: Sluice, tool: string, isThere: boolean): Promise<void> {
  const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
  const isSo = async () => {
    const { body } = await post(replica, list, { path: "/rpc" });
    return body.result?.tools.some(({ name }: { name: string }) => name === tool) === isThere;
  };
  await waitFor(async () => (await Promise.all(Array.from({ length: LOOKS }, isSo))).every(Boolean), {
    what: `${tool} ${isThere ? "at" : "gone from"} the other replica`,
  });
}
