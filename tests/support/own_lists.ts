// What sessions need to follow their own lists, for tests around fake upstreams.
import { Callers } from "../../src/auth/callers.ts";
import { ClientMemory } from "../../src/base/sharing/client_memory.ts";
import { Catalog } from "../../src/catalog/snapshot/catalog.ts";
import { createNaming } from "../../src/catalog/snapshot/tool_name.ts";
import type { OwnListsDeps } from "../../src/downstream/client/own_lists.ts";
import { UniformLists } from "../../src/downstream/client/uniform_lists.ts";
import { catalogRows } from "./catalog_rows.ts";
import { FakeClock } from "./fake_clock.ts";

export function ownListsDeps(given: Partial<OwnListsDeps> = {}): OwnListsDeps {
  const catalog = new Catalog(catalogRows({}));
  return {
    clock: new FakeClock(),
    catalog: () => catalog,
    upstreams: { ownSession: () => null },
    uniform: new UniformLists(),
    naming: createNaming({ separator: "-", maxLength: 60 }),
    limits: { maxEntries: 1_000, maxBytes: 1_000_000 },
    timeoutMs: 30_000,
    callers: new Callers({ calls: 1_000, streams: 1_000 }, new ClientMemory(Infinity)),
    memory: new ClientMemory(Infinity),
    holds: { noteSession: () => {} },
    countRead: () => {},
    ...given,
  };
}
