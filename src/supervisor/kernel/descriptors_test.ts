import { assertEquals, assertMatch } from "@std/assert";
import { type DescriptorConfig, descriptorsNeeded } from "../../tuning/sums.ts";
import { backlogWarning, descriptorWarning, raiseOpenFilesLimit } from "./descriptors.ts";
import { ownOpenFilesLimit } from "./libc.ts";

const CONFIG: DescriptorConfig = {
  workers: 2,
  backpressure: 500,
  maxStreams: 800,
  httpClientMaxConnections: 100,
  databaseUrl: "sqlite:///./mcp.db",
  dbPoolSize: 5,
  dbMaxOverflow: 10,
  cacheType: "database",
};

Deno.test("descriptorWarning() names both numbers and the remedy, only where the limit is short", () => {
  const needed = descriptorsNeeded(CONFIG);
  assertEquals(descriptorWarning(CONFIG, needed), null);
  assertEquals(descriptorWarning(CONFIG, null), null);
  const warning = descriptorWarning(CONFIG, 1024)!;
  assertMatch(warning, /^1024 open files are allowed/);
  assertMatch(warning, new RegExp(`can need ${needed}, .*: raise the limit .* MAX_STREAMS`));
  assertEquals(descriptorWarning(CONFIG, needed - 1) === null, false);
});

Deno.test("backlogWarning() tells where the kernel allows less", () => {
  assertEquals(backlogWarning({ backlog: 2048 }, 4096), null);
  assertEquals(backlogWarning({ backlog: 2048 }, null), null);
  assertMatch(backlogWarning({ backlog: 2048 }, 128)!, /^BACKLOG=2048 is cut to 128 .*somaxconn/);
});

Deno.test("ownOpenFilesLimit() takes the soft limit; null where there is none", () => {
  const given = (soft: bigint) => ({
    getrlimit: (_resource: number, into: AllowSharedBufferSource | null) => {
      (into as BigUint64Array).set([soft, 524_288n]);
      return 0;
    },
  });
  assertEquals(ownOpenFilesLimit(given(1_024n)), 1_024);
  assertEquals(ownOpenFilesLimit(given(2n ** 64n - 1n)), null);
  assertEquals(ownOpenFilesLimit(null), null);
});

Deno.test("raiseOpenFilesLimit() makes the soft limit the hard one, once", () => {
  let limits = [1_024n, 524_288n];
  let set = 0;
  const libc = {
    getrlimit: (_resource: number, into: AllowSharedBufferSource | null) => {
      (into as BigUint64Array).set(limits);
      return 0;
    },
    setrlimit: (_resource: number, from: AllowSharedBufferSource | null) => {
      limits = [...from as BigUint64Array];
      set++;
      return 0;
    },
  };
  raiseOpenFilesLimit(libc);
  raiseOpenFilesLimit(libc);
  assertEquals([limits, set], [[524_288n, 524_288n], 1]);
  raiseOpenFilesLimit(null);
});
