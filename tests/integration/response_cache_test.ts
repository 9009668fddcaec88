// Kept answers to reads of the registry, on running gateways: never older than a write that was answered, and nobody else's.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { startManyUpstreams } from "../support/many_upstreams.ts";
import { metric } from "../support/metric.ts";
import { Sluice } from "../support/sluice.ts";
import { withTwo } from "../support/two_replicas.ts";
import { waitFor } from "../support/wait_for.ts";

interface Read {
  readonly status: number;
  /** X-Cache-Status. */
  readonly cache: string | null;
  readonly etag: string | null;
  readonly text: string;
}

interface Asked {
  readonly method?: string;
  readonly token?: string;
  readonly ifNoneMatch?: string;
}

async function read(sluice: Sluice, path: string, { method, token, ifNoneMatch }: Asked = {}): Promise<Read> {
  const response = await fetch(sluice.url + path, {
    method,
    headers: {
      authorization: `Bearer ${token ?? await sluice.token()}`,
      ...(ifNoneMatch === undefined ? {} : { "if-none-match": ifNoneMatch }),
    },
  });
  const { status, headers } = response;
  return {
    status,
    cache: headers.get("x-cache-status"),
    etag: headers.get("etag"),
    text: await response.text(),
  };
}

/** At the same time, over connections of their own: every worker gets some of them. */
function readMany(sluice: Sluice, path: string, asked: Asked = {}): Promise<Read[]> {
  return Promise.all(Array.from({ length: 6 * sluice.workers }, () => read(sluice, path, asked)));
}

/** Every worker has kept the answer. */
async function keptEverywhere(sluice: Sluice, path: string, asked: Asked = {}): Promise<Read> {
  let reads: Read[] = [];
  await waitFor(async () => {
    reads = await readMany(sluice, path, asked);
    return reads.every(({ cache }) => cache === "HIT");
  }, { what: `${path} to be kept by every worker` });
  return reads[0]!;
}

const upstreams = () => startManyUpstreams({ tools: 3, pageSize: 100 });

async function toolIds(sluice: Sluice): Promise<string[]> {
  const { body } = await sluice.api("GET", "/tools");
  return body.map(({ id }: { id: string }) => id);
}

Deno.test("A kept answer never shows less than a write that was answered before, on any worker, while many read", async () => {
  await using upstream = upstreams();
  await using sluice = await Sluice.start();
  await sluice.registerUpstream("up", upstream.url("up"));
  const [id] = await toolIds(sluice);
  let acknowledged = 0;
  let isGoing = true;
  const seen = { reads: 0, hits: 0 };
  const token = await sluice.token();
  const reader = async (path: string) => {
    while (isGoing) {
      const atLeast = acknowledged;
      const { status, text, cache } = await read(sluice, path, { token });
      assertEquals(status, 200);
      if (atLeast > 0) {
        const shown = Number(/"description":"round (\d+)"/.exec(text)?.[1]);
        assert(shown >= atLeast, `${path} (${cache}) shows round ${shown} after ${atLeast} was answered`);
      }
      seen.reads++;
      if (cache === "HIT") seen.hits++;
    }
  };
  const readers = ["/tools", "/tools", "/tools", "/v1/tools", `/tools/${id}`, `/tools/${id}`].map(reader);
  const failed = Promise.all(readers);
  failed.catch(() => isGoing = false);
  for (let round = 1; round <= 25 && isGoing; round++) {
    const { status } = await sluice.api("PUT", `/tools/${id}`, { description: `round ${round}` });
    assertEquals(status, 200);
    acknowledged = round;
    const enough = seen.reads + 2 * readers.length;
    await waitFor(() => seen.reads >= enough || !isGoing, {
      what: "the readers to have read it",
      everyMs: 1,
    });
  }
  isGoing = false;
  await failed;
  assert(seen.hits > 0, `of ${seen.reads} reads none was answered from memory`);
  assertEquals(await metric(sluice, "sluice_response_cache_answers_total", "HIT") >= seen.hits, true);
  assert(await metric(sluice, "sluice_response_cache_bytes") > 0);
});

Deno.test("Callers of other teams have answers of their own, whoever asked before; 304 for who has the answer", async () => {
  await using upstream = upstreams();
  await using sluice = await Sluice.start();
  await sluice.registerUpstream("up", upstream.url("up"));
  const [id, other] = await toolIds(sluice);
  await sluice.api("PUT", `/tools/${id}`, { visibility: "team", team_id: "red" });
  await sluice.api("PUT", `/tools/${other}`, { visibility: "team", team_id: "blue" });
  const tokenOf = (name: string, teams: string[]) =>
    sluice.token({ admin: false, username: `${name}@example.com`, claims: { teams } });
  const expected = new Map([
    [await sluice.token(), [3, 200, 200]],
    [await tokenOf("ann", ["red"]), [2, 200, 404]],
    [await tokenOf("bob", ["blue"]), [2, 404, 200]],
    [await tokenOf("cid", []), [1, 404, 404]],
  ]);
  const etags = new Set<string>();
  for (let round = 0; round < 3; round++) {
    for (const [token, [amount, status, otherStatus]] of expected) {
      for (const { text, etag } of await readMany(sluice, "/tools", { token })) {
        assertEquals(JSON.parse(text).length, amount);
        etags.add(etag!);
      }
      for (const each of await readMany(sluice, `/tools/${id}`, { token })) assertEquals(each.status, status);
      for (const each of await readMany(sluice, `/tools/${other}`, { token })) {
        assertEquals(each.status, otherStatus);
      }
    }
  }
  assertEquals(etags.size, expected.size);

  // One worker's tag is another's.
  const { etag } = await keptEverywhere(sluice, "/tools");
  for (const method of ["GET", "HEAD"]) {
    for (const each of await readMany(sluice, "/tools", { method, ifNoneMatch: `"other", W/${etag}` })) {
      assertEquals(each, { status: 304, cache: "HIT", etag, text: "" });
    }
  }
  for (const each of await readMany(sluice, "/tools", { method: "HEAD" })) {
    assertEquals(each, { status: 200, cache: "HIT", etag, text: "" });
  }
  const [blue] = [...expected.keys()].slice(2);
  for (const each of await readMany(sluice, "/tools", { ifNoneMatch: etag!, token: blue })) {
    assertEquals(each.status, 200);
  }
  await sluice.api("PUT", `/tools/${id}`, { description: "other words" });
  for (const each of await readMany(sluice, "/tools", { ifNoneMatch: etag! })) {
    assertEquals([each.status, each.text.includes("other words")], [200, true]);
    assertNotEquals(each.etag, etag);
  }
});

for (
  const [name, env] of [
    ["CACHE_TYPE=none", { CACHE_TYPE: "none" }],
    ["REGISTRY_CACHE_ENABLED=false", { REGISTRY_CACHE_ENABLED: "false" }],
  ] as const
) {
  Deno.test(`${name}: nothing is kept, and tags still work`, async () => {
    await using sluice = await Sluice.start({ env: { ...env, WORKERS: "1" } });
    const [{ etag }] = await readMany(sluice, "/servers");
    for (const each of await readMany(sluice, "/servers")) {
      assertEquals(each, { status: 200, cache: "BYPASS", etag, text: "[]" });
    }
    assertEquals(await read(sluice, "/servers", { ifNoneMatch: etag! }), {
      status: 304,
      cache: "BYPASS",
      etag,
      text: "",
    });
    assertEquals(await metric(sluice, "sluice_response_cache_answers_total"), 0);
  });
}

Deno.test("What one replica keeps shows another's write at once, though it has not heard of it", async () => {
  // So seldom that it hears of nothing.
  const seldom = { POLL_INTERVAL: "3600", MAX_INTERVAL: "3600" };
  await withTwo(async (one, other) => {
    await one.api("POST", "/servers", { server: { id: "s", name: "round 0" } });
    for (let round = 1; round <= 5; round++) {
      await keptEverywhere(other, "/servers");
      assertEquals((await one.api("PUT", "/servers/s", { name: `round ${round}` })).status, 200);
      for (const { text } of await readMany(other, "/servers")) {
        assertEquals(JSON.parse(text)[0].name, `round ${round}`);
      }
    }
  }, seldom);
});
