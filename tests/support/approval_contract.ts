// What the store promises of the approval of changes, whichever database is under it.
import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { SluiceError } from "../../src/base/errors.ts";
import { createNaming } from "../../src/catalog/snapshot/tool_name.ts";
import { definitionOf, type ToolApproval } from "../../src/store/approvals/approval_record.ts";
import { createRegistry, type Registry } from "../../src/store/registry/registry.ts";
import type { DiscoveredEntry, Discovery } from "../../src/store/registry/rows.ts";
import { migrate } from "../../src/store/sql/migrate.ts";
import { sql } from "../../src/store/sql/sql.ts";
import { discovery, entryOf, newGateway, newServer } from "./registry_rows.ts";
import type { FreshDatabase } from "./store_contract.ts";

const naming = createNaming({ separator: "-", maxLength: 64 });

const RULES = { mode: "off", changes: 1_000, bytes: 1_000_000 } as const;

function tool(name: string, description = "good"): DiscoveredEntry {
  return entryOf(name, JSON.stringify({ name, description, inputSchema: { type: "object" } }));
}

function offering(tools: readonly DiscoveredEntry[], more: Partial<Discovery> = {}): Discovery {
  return { ...discovery({}), tools, ...more };
}

/** A gateway under approval, and short words for what happens to it. */
class Guarded {
  readonly registry: Registry;
  id = "";

  constructor(registry: Registry) {
    this.registry = registry;
  }

  async register(toolApproval: ToolApproval | null, tools: readonly DiscoveredEntry[], name = "evil") {
    this.id = (await this.registry.gateways.insert(newGateway({ name, toolApproval }))).id;
    return await this.list(tools);
  }

  list(tools: readonly DiscoveredEntry[], more: Partial<Discovery> = {}) {
    return this.registry.saveDiscovery(this.id, offering(tools, more), naming);
  }

  /** Name and description of what is offered. */
  async offered(): Promise<string[]> {
    const rows = await this.registry.tools.list({ gatewayId: this.id });
    return rows.sort((a, b) => a.position - b.position)
      .map(({ originalName, definition }) => `${originalName}: ${JSON.parse(definition).description}`);
  }

  async held() {
    return await this.registry.heldChanges(this.id);
  }

  async heldNames(): Promise<string[]> {
    return (await this.held()).map(({ kind, key, approved, rejectedHash, held }) =>
      `${kind} ${key} ${approved === null ? "new" : "changed"}${
        rejectedHash === held?.hash ? " rejected" : ""
      }`
    ).sort();
  }

  async decide(verdict: "approve" | "reject", keys: readonly string[]): Promise<void> {
    const changes = (await this.held()).filter(({ key }) => keys.includes(key))
      .map(({ id, held }) => ({ id, hash: held!.hash }));
    await this.registry.decide(this.id, verdict, changes, naming);
  }
}

export function approvalContract(
  test: (criterion: string, run: (fresh: FreshDatabase) => Promise<void>) => void,
): void {
  const guardedTest = (
    criterion: string,
    run: (guarded: Guarded, fresh: FreshDatabase) => Promise<void>,
    rules: Partial<{ mode: ToolApproval; changes: number; bytes: number }> = {},
  ) =>
    test(`approval: ${criterion}`, async (fresh) => {
      await migrate(fresh.database);
      await run(new Guarded(createRegistry(fresh.database, undefined, { ...RULES, ...rules })), fresh);
    });

  guardedTest("`changed` offers the first lists, and holds what is added or changed later", async (up) => {
    await up.register("changed", [tool("a"), tool("b")]);
    const { holding, tools } = await up.list([tool("a", "evil"), tool("b"), tool("c")]);
    assertEquals(holding.held.map(({ key, isNew }) => [key, isNew]), [["a", false], ["c", true]]);
    assertEquals([tools.added, tools.updated], [[], []]);
    assertEquals(await up.offered(), ["a: good", "b: good"]);
    assertEquals(await up.heldNames(), ["tool a changed", "tool c new"]);
    // The second time is no news, and changes nothing.
    const again = await up.list([tool("a", "evil"), tool("b"), tool("c")]);
    assertEquals([again.holding.held, again.hasChanges], [[], false]);
  });

  guardedTest("`all` offers nothing before it is approved, and an approval needs no upstream", async (up) => {
    await up.register("all", [tool("a"), tool("b")]);
    assertEquals(await up.offered(), []);
    const { version } = (await up.registry.gateways.get(up.id))!;
    await up.decide("approve", ["b"]);
    // A refresh that has begun before is repeated.
    assertEquals((await up.registry.gateways.get(up.id))!.version > version, true);
    assertEquals([await up.offered(), await up.heldNames()], [["b: good"], ["tool a new"]]);
    await up.list([tool("a"), tool("b")]);
    assertEquals([await up.offered(), await up.heldNames()], [["b: good"], ["tool a new"]]);
  });

  guardedTest("every kind is held: tools, resources, templates, prompts, instructions", async (up) => {
    const first = discovery({ tools: ["t"], resources: ["r://1"], templates: ["r://{x}"], prompts: ["p"] });
    const { id } = await up.registry.gateways.insert(newGateway({ name: "up", toolApproval: "changed" }));
    await up.registry.saveDiscovery(id, { ...first, instructions: "Be good." }, naming);
    const evil = (entries: readonly DiscoveredEntry[] | null) =>
      entries!.map(({ key, text }) =>
        entryOf(key, JSON.stringify({ ...JSON.parse(text), description: "evil" }))
      );
    up.id = id;
    await up.registry.saveDiscovery(id, {
      ...first,
      ...{ tools: evil(first.tools), resources: evil(first.resources), prompts: evil(first.prompts) },
      resourceTemplates: evil(first.resourceTemplates),
      instructions: "Be evil.",
    }, naming);
    assertEquals(await up.heldNames(), [
      "instructions  changed",
      "prompt p changed",
      "resource r://1 changed",
      "template r://{x} changed",
      "tool t changed",
    ]);
    const { gateways, tools, resources, prompts } = await up.registry.readCatalog();
    const texts = JSON.stringify([gateways[0].instructions, tools, resources, prompts]);
    assertEquals([texts.includes("evil"), gateways[0].instructions], [false, "Be good."]);
    const keys = (await up.held()).map(({ key }) => key);
    await up.decide("approve", keys);
    assertEquals((await up.registry.gateways.get(id))?.instructions, "Be evil.");
    assertEquals(JSON.parse((await up.registry.prompts.list())[0].definition).description, "evil");
    assertEquals((await up.registry.resources.list()).length, 2);
    assertEquals(await up.heldNames(), []);
  });

  guardedTest("what changes back is held no more", async (up) => {
    await up.register("changed", [tool("a")]);
    await up.list([tool("a", "evil")]);
    await up.list([tool("a")]);
    assertEquals([await up.offered(), await up.heldNames()], [["a: good"], []]);
  });

  guardedTest("a tool that is left out and listed again with another text is held", async (up) => {
    await up.register("changed", [tool("a"), tool("b")]);
    const [row] = await up.registry.tools.list({ gatewayId: up.id });
    const server = await up.registry.servers.insert(newServer({ name: "s", toolIds: [row.id] }));
    await up.list([tool("b")]);
    await up.list([tool("a", "evil"), tool("b")]);
    // Its approved version is offered in the meantime, as the operator left it.
    assertEquals([await up.offered(), await up.heldNames()], [["b: good", "a: good"].sort(), [
      "tool a changed",
    ]]);
    assertEquals((await up.registry.servers.get(server.id))?.toolIds, [row.id]);
  });

  guardedTest("a rejected version stays withheld until the upstream changes it", async (up) => {
    await up.register("changed", [tool("a")]);
    await up.list([tool("a", "evil"), tool("b", "new")]);
    await up.decide("reject", ["a", "b"]);
    assertEquals((await up.list([tool("a", "evil"), tool("b", "new")])).holding.held, []);
    assertEquals(await up.heldNames(), ["tool a changed rejected", "tool b new rejected"]);
    assertEquals((await up.registry.readCatalog()).approvals[0].pending, 0);
    await up.list([tool("a", "worse"), tool("b", "new")]);
    assertEquals(await up.heldNames(), ["tool a changed", "tool b new rejected"]);
    // Withdrawn and listed again, it is still the rejected version.
    await up.list([tool("a")]);
    assertEquals((await up.list([tool("a"), tool("b", "new")])).holding.held, []);
    assertEquals(await up.heldNames(), ["tool b new rejected"]);
    assertEquals(await up.offered(), ["a: good"]);
  });

  guardedTest("a decision about a version that has changed decides nothing", async (up) => {
    await up.register("changed", [tool("a"), tool("b")]);
    await up.list([tool("a", "evil"), tool("b", "evil")]);
    const seen = (await up.held()).map(({ id, held }) => ({ id, hash: held!.hash }));
    await up.list([tool("a", "evil"), tool("b", "worse")]);
    const error = await assertRejects(
      () => up.registry.decide(up.id, "approve", seen, naming),
      SluiceError,
      'The tool "b" has changed again since you saw it, so nothing was decided',
    );
    assertEquals([error.code, await up.offered()], ["CONFLICT", ["a: good", "b: good"]]);
    await up.list([tool("a"), tool("b")]);
    const gone = await assertRejects(() => up.registry.decide(up.id, "reject", seen, naming), SluiceError);
    assertEquals(gone.code, "CONFLICT");
    const unknown = [{ id: "x", hash: seen[0].hash }];
    const absent = await assertRejects(
      () => up.registry.decide(up.id, "reject", unknown, naming),
      SluiceError,
    );
    assertEquals(absent.code, "NOT_FOUND");
  });

  guardedTest(
    "members in another order, or written otherwise, are no change; the approved text stays",
    async (up) => {
      await up.register("changed", [tool("a")]);
      const text =
        '{"inputSchema":{"type":"object"},"description":"evil","description":"g\\u006fod","name":"a"}';
      const { holding, hasChanges } = await up.list([entryOf("a", text)]);
      assertEquals([holding.held, hasChanges], [[], false]);
      const [row] = await up.registry.tools.list();
      assertEquals(row.definition, tool("a").text);
    },
  );

  guardedTest("a name that is listed twice offers nothing that is held", async (up) => {
    await up.register("changed", [tool("a")]);
    const { skipped } = await up.list([tool("a"), tool("a", "evil"), tool("b", "evil"), tool("b", "worse")]);
    assertEquals([await up.offered(), await up.heldNames()], [["a: good"], ["tool b new"]]);
    assertEquals(skipped.map(({ name }) => name), ["a"]);
  });

  guardedTest(
    "switching it on approves what is there, and switching it off forgets all decisions",
    async (up) => {
      await up.register(null, [tool("a")]);
      await up.list([tool("a", "one")]);
      assertEquals(await up.offered(), ["a: one"]);
      for (const mode of ["changed", "all"] as const) {
        await up.registry.gateways.update(up.id, { toolApproval: mode });
        await up.list([tool("a", "two"), tool("b")]);
        assertEquals([await up.offered(), (await up.held()).length], [["a: one"], 2], mode);
        await up.registry.gateways.update(up.id, { toolApproval: "off" });
        const error = await assertRejects(() => up.decide("approve", ["a"]), SluiceError);
        assertEquals(error.code, "CONFLICT");
        await up.list([tool("a", "one")]);
        assertEquals([await up.offered(), await up.held()], [["a: one"], []], mode);
      }
    },
  );

  guardedTest("a gateway without a mode follows the setting", async (up) => {
    await up.register(null, [tool("a")]);
    assertEquals([await up.offered(), await up.heldNames()], [[], ["tool a new"]]);
    const other = new Guarded(up.registry);
    await other.register("off", [tool("a")], "trusted");
    assertEquals(await other.offered(), ["a: good"]);
  }, { mode: "all" });

  guardedTest("what waits is bounded, and one version of each entry waits", async (up) => {
    await up.register("changed", [tool("a")]);
    for (let n = 0; n < 5; n++) await up.list([tool("a", `evil ${n}`)]);
    assertEquals((await up.held()).map(({ held }) => JSON.parse(held!.text).description), ["evil 4"]);
    const many = ["b", "c", "d", "e"].map((name) => tool(name));
    const { holding } = await up.list([tool("a"), ...many]);
    assertEquals([holding.held.length, holding.notKept], [3, 1]);
    assertEquals([await up.heldNames(), await up.offered()], [
      ["tool b new", "tool c new", "tool d new"],
      ["a: good"],
    ]);
    // A place is free after a decision.
    await up.decide("approve", ["b"]);
    await up.list([tool("a"), ...many]);
    assertEquals(await up.heldNames(), ["tool c new", "tool d new", "tool e new"]);
    const large = await up.list([tool("a", "x".repeat(2_000)), ...many]);
    assertEquals([large.holding.notKept, (await up.offered())[0]], [1, "a: good"]);
  }, { changes: 3, bytes: 1_000 });

  guardedTest(
    "entries of sessions wait too, and their approval leaves the registry's list alone",
    async (up) => {
      await up.register("changed", [tool("a")]);
      const hold = (...entries: DiscoveredEntry[]) => up.registry.holdForSession(up.id, "tool", entries);
      assertEquals((await hold(tool("s"))).held.map(({ key }) => key), ["s"]);
      // Another session's version does not replace the one that waits; nor does a version of a tool that everybody is listed.
      assertEquals((await hold(tool("s", "other"), tool("a", "evil"))).held, []);
      await up.list([tool("a")]);
      assertEquals(await up.heldNames(), ["tool s new"]);
      await up.decide("approve", ["s"]);
      const [facts] = (await up.registry.readCatalog()).approvals;
      assertEquals(facts.unlisted.map(({ text }) => text), [tool("s").text]);
      assertEquals(await up.offered(), ["a: good"]);
    },
  );

  guardedTest(
    "the records of a gateway go with it, and its name and key may be anything",
    async (up, { database }) => {
      const odd = ["__proto__", "a b", "ä🎉", "'; DROP TABLE approvals; --"].map((name) => tool(name));
      await up.register("all", odd);
      assertEquals((await up.held()).length, odd.length);
      await up.registry.gateways.delete(up.id);
      assertEquals(await database.query(sql`SELECT id FROM approvals`), []);
    },
  );

  guardedTest(
    "whatever an upstream lists in whatever order, nothing is offered that was not approved",
    async (up, { database }) => {
      const lists = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom("1", "2", "3"), {
        noNullPrototype: true,
      });
      const steps = fc.array(
        fc.oneof(
          { weight: 3, arbitrary: lists.map((list) => ({ list })) },
          { weight: 1, arbitrary: fc.constantFrom("a", "b", "c").map((approve) => ({ approve })) },
          { weight: 1, arbitrary: fc.constantFrom("a", "b", "c").map((reject) => ({ reject })) },
          { weight: 1, arbitrary: lists.map((session) => ({ session })) },
        ),
        { maxLength: 12 },
      );
      let run = 0;
      await fc.assert(
        fc.asyncProperty(steps, fc.constantFrom("changed" as const, "all" as const), async (all, mode) => {
          const approved = new Set<string>();
          const entries = (list: Record<string, string>) =>
            Object.entries(list).map(([name, text]) => tool(name, text));
          await up.register(mode, [tool("a", "1")], `up${run++}`);
          if (mode === "changed") approved.add(definitionOf(tool("a", "1")).hash);
          for (const step of all) {
            if ("list" in step) await up.list(entries(step.list));
            else if ("session" in step) {
              await up.registry.holdForSession(up.id, "tool", entries(step.session));
            } else {
              const key = "approve" in step ? step.approve : step.reject;
              const change = (await up.held()).find((each) => each.key === key);
              if (change === undefined) continue;
              if ("approve" in step) approved.add(change.held!.hash);
              await up.decide("approve" in step ? "approve" : "reject", [key]);
            }
            const rows = await up.registry.tools.list({ gatewayId: up.id });
            const facts = (await up.registry.readCatalog()).approvals.find(({ gatewayId }) =>
              gatewayId === up.id
            )!;
            const offered = [
              ...rows.map(({ definition }) => definition),
              ...facts.unlisted.map(({ text }) => text),
            ];
            for (const text of offered) {
              assertEquals(approved.has(definitionOf({ text, sessionText: null }).hash), true, text);
            }
          }
          await up.registry.gateways.delete(up.id);
        }),
        { numRuns: database.dialect === "sqlite" ? 40 : 5 },
      );
    },
  );
}
