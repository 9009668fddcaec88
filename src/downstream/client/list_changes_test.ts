import { assertEquals } from "@std/assert";
import {
  catalogRows,
  gatewayRow,
  resourceRow,
  serverRow,
  toolRow,
  versionsAt,
} from "../../../tests/support/catalog_rows.ts";
import { mcpServer, messagesOf } from "../../../tests/support/mcp_server.ts";
import { Catalog } from "../../catalog/snapshot/catalog.ts";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { principal } from "../../../tests/support/fakes.ts";
import type { Principal } from "../../auth/principal.ts";
import { ListAnnouncer } from "./list_announcer.ts";
import { announceListChanges } from "./list_changes.ts";

const ROWS = catalogRows({
  gateways: [gatewayRow("a"), gatewayRow("b")],
  tools: [toolRow("a", "one"), toolRow("b", "two")],
  resources: [resourceRow("b", "x://{id}")],
  servers: [serverRow("s", { toolIds: ["a-one"] })],
});
const TOOLS = "notifications/tools/list_changed";
const RESOURCES = "notifications/resources/list_changed";

/** A client that hears of everything. */
function client(given: Partial<Principal> = {}, serverId: string | null = null) {
  const heard: string[] = [];
  return {
    heard,
    serverId,
    principal: principal(given),
    since: null as string | null,
    hears: () => true,
    notify: (text: string) => void heard.push(JSON.parse(text).method),
  };
}

Deno.test("announceListChanges() tells a client of each list that differs for its endpoint, token and teams", () => {
  const team = { visibility: "team", teamId: "t1" } as const;
  const before = new Catalog(ROWS);
  const after = new Catalog({
    ...ROWS,
    tools: [...ROWS.tools, toolRow("b", "three", team)],
    resources: [],
    prompts: [],
  });
  const [everything, public_, narrowed, unread, small, nowhere] = [
    client({ teams: ["t1"] }),
    client({ teams: [] }),
    client({ teams: ["t1"] }, "s"),
    client({ teams: ["t1"], permissions: ["tools.read"] }),
    client({ teams: null, isAdmin: true }, "s"),
    client({}, "gone"),
  ];
  const all = [everything, public_, narrowed, unread, small, nowhere];
  announceListChanges(all, [before], after);
  assertEquals(all.map(({ heard }) => heard), [[TOOLS, RESOURCES], [RESOURCES], [], [TOOLS], [], []]);
  announceListChanges(
    all,
    [after],
    new Catalog({ ...ROWS, tools: after.all.tools.all.map(({ row }) => row), resources: [] }),
  );
  assertEquals(all.flatMap(({ heard }) => heard).length, 4, "another version of the same lists");
});

Deno.test("announceListChanges() tells a client whose team gains or loses an entry that others keep", () => {
  const shown = (teamId: string) =>
    new Catalog({ ...ROWS, tools: [toolRow("a", "one", { visibility: "team", teamId })] });
  const [one, two] = [client({ teams: ["t1"] }), client({ teams: ["t2"] })];
  announceListChanges([one, two], [shown("t1")], shown("t2"));
  assertEquals([one.heard, two.heard], [[TOOLS], [TOOLS]]);
});

Deno.test("ListAnnouncer tells the first change at once, those of a storm together, and none that was taken back", async () => {
  const clock = new FakeClock();
  const announcer = new ListAnnouncer(clock);
  const { heard, ...listener } = client();
  announcer.add([listener]);
  const catalogs = Array.from(
    { length: 5 },
    (_, n) => new Catalog({ ...ROWS, tools: Array.from({ length: n }, (_, i) => toolRow("a", `t${i}`)) }),
  );
  for (let n = 0; n < 4; n++) announcer.changed(catalogs[n]!, catalogs[n + 1]!);
  assertEquals(heard, [TOOLS]);
  await clock.tick(1_000);
  assertEquals(heard, [TOOLS, TOOLS]);
  announcer.changed(catalogs[4]!, catalogs[0]!);
  announcer.changed(catalogs[0]!, catalogs[4]!);
  await clock.tick(1_000);
  assertEquals(heard, [TOOLS, TOOLS]);
  await clock.tick(1_000);
  assertEquals(clock.timers, 0);
  announcer.changed(catalogs[4]!, catalogs[0]!);
  assertEquals(heard, [TOOLS, TOOLS, TOOLS]);
  announcer.close();
  assertEquals(clock.timers, 0);
});

Deno.test("ListAnnouncer tells a client that comes in the pause of what changes after it came, and of nothing before", async () => {
  const clock = new FakeClock();
  const announcer = new ListAnnouncer(clock);
  const [first, second, third, fourth] = Array.from(
    { length: 4 },
    (_, n) =>
      new Catalog({
        ...ROWS,
        versions: versionsAt(n + 1),
        tools: n === 0 ? [] : [toolRow("a", n < 3 ? "one" : "two")],
      }),
  );
  const [old, early, late] = [first, second, third].map((each) => ({ ...client(), since: each!.version }));
  const clients = [old!];
  announcer.add(clients);
  announcer.changed(new Catalog({ ...ROWS, versions: versionsAt(0) }), first!);
  announcer.changed(first!, second!);
  // The lists are the same in the third version.
  clients.push(early!, late!);
  announcer.changed(second!, third!);
  await clock.tick(1_000);
  assertEquals(clients.map(({ heard }) => heard), [[TOOLS], [], []]);
  announcer.changed(third!, fourth!);
  await clock.tick(1_000);
  assertEquals(clients.map(({ heard }) => heard), [[TOOLS, TOOLS], [TOOLS], [TOOLS]]);
  for (let n = 5; n < 100; n++) announcer.changed(fourth!, new Catalog({ ...ROWS, versions: versionsAt(n) }));
  announcer.close();
});

Deno.test("announceListChanges() tells listening sessions which lists have changed for them", async () => {
  const { send, initialize, sessions, catalog } = await mcpServer(ROWS);
  const [everything, small] = [await initialize(), await initialize("2025-11-25", { serverId: "s" })];
  const streams = [
    await send({ method: "GET", sessionId: everything }),
    await send({ method: "GET", sessionId: small, serverId: "s" }),
  ];
  assertEquals([sessions.streamCount, ...[...sessions].map(({ since }) => since)], [
    2,
    catalog.version,
    catalog.version,
  ]);
  announceListChanges(
    sessions,
    [catalog],
    new Catalog({ ...ROWS, versions: versionsAt(2), tools: [...ROWS.tools, toolRow("a", "new")] }),
  );
  announceListChanges(sessions, [catalog], new Catalog({ ...ROWS, versions: versionsAt(2) }));
  sessions.endStreams();
  assertEquals(sessions.streamCount, 0);
  assertEquals(await Promise.all(streams.map(messagesOf)), [
    [{ jsonrpc: "2.0", method: "notifications/tools/list_changed" }],
    [],
  ]);
});

Deno.test("announceListChanges() reaches a client that has listened, at its next stream, and nobody who never has", async () => {
  const { send, initialize, sessions, catalog } = await mcpServer(ROWS);
  const [listener, other] = [await initialize(), await initialize()];
  const get = (sessionId: string) => send({ method: "GET", sessionId });
  const first = await get(listener);
  sessions.endStreams();
  await messagesOf(first);
  announceListChanges(sessions, [catalog], new Catalog({ ...ROWS, versions: versionsAt(2), tools: [] }));
  const streams = [await get(listener), await get(other)];
  sessions.endStreams();
  assertEquals((await Promise.all(streams.map(messagesOf))).map((said) => said.map(({ method }) => method)), [
    [TOOLS],
    [],
  ]);
});
