// Exports and imports go no further than the routes for single entities: they show no more, and change no more.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { FastUpstream } from "../support/fast_upstream.ts";
import { GuardedUpstream } from "../support/guarded_upstream.ts";
import { Sluice } from "../support/sluice.ts";
import { counterLaunch } from "../support/stdio_upstream.ts";

const PASSWORD = "Correct-Horse-1!";

interface Exported {
  readonly entities: Readonly<Record<string, Record<string, unknown>[]>>;
}

Deno.test("An export shows no secret that its reader could not read, an import keeps credentials, and neither goes past permissions", async (t) => {
  await using plain = FastUpstream.start();
  await using guarded = new GuardedUpstream(["authorization", "Bearer upstream-token"]);
  await using sluice = await Sluice.start({
    env: { STDIO_ENABLED: "true", TOOL_APPROVAL: "changed", AUDIT_TRAIL_ENABLED: "true" },
  });
  const { command, args } = counterLaunch("hush-argument");
  await sluice.registerUpstream("query", `${plain.url}?key=hush-query`);
  const program = { transport: "STDIO", command, args, env: { HUSH_NAME: "hush-value" } };
  await sluice.registerUpstream("program", "", { url: undefined, ...program });
  const held = await sluice.registerUpstream("guarded", guarded.url, {
    ...{ auth_type: "bearer", auth_token: "upstream-token", tool_approval: "all" },
  });
  const owned = { visibility: "private", owner_email: "zoe@x.org" };
  const secret = await sluice.registerUpstream("secret", `${plain.url}?other`, owned);

  const email = "ann@x.org";
  await sluice.api("POST", "/auth/email/admin/users", { email, password: PASSWORD });
  const login = await sluice.api("POST", "/auth/login", { email, password: PASSWORD }, null);
  const ann: string = login.body.access_token;
  const grant = async (name: string, permissions: readonly string[]) => {
    const role = await sluice.api("POST", "/rbac/roles", { name, scope: "global", permissions });
    const given = await sluice.api("POST", `/rbac/users/${email}/roles`, {
      role_id: role.body.id,
      scope: "global",
    });
    assertEquals([role.status, given.status], [201, 200]);
  };
  const fileOf = async (token?: string): Promise<Exported> => {
    const { status, body } = await sluice.api("GET", "/export?include_inactive=true", undefined, token);
    assertEquals(status, 200);
    return body;
  };
  const importAs = (token: string | undefined, file: unknown, more: Record<string, unknown> = {}) =>
    sluice.api("POST", "/import", { import_data: file, ...more }, token);
  const gateway = async (id: string) => (await sluice.api("GET", `/gateways/${id}`)).body;

  await t.step("who exports reads no query, no program, and nobody's private entries", async () => {
    await grant("mover", ["admin.export", "admin.import"]);
    const text = JSON.stringify(await fileOf(ann));
    const seen = ["hush", command, "upstream-token", '"secret"'].filter((each) => text.includes(each));
    assertEquals(seen, []);
    assertEquals(text.includes(new URL(plain.url).origin), true);
    const own = JSON.stringify(await fileOf());
    assertEquals(["hush-query", "hush-value", "upstream-token"].filter((each) => own.includes(each)), []);
  });

  await t.step(
    "a file that comes back changes nothing, and takes no credentials or masked values away",
    async () => {
      const file = await fileOf();
      const { status, body } = await importAs(undefined, file, { conflict_strategy: "fail" });
      assertEquals([status, body.errors, body.progress?.updated], [200, [], 0]);
      const renamed = structuredClone(file);
      for (const each of renamed.entities.gateways) each.description = "Imported";
      const changed = (await importAs(undefined, renamed)).body;
      assertEquals([changed.errors, changed.progress.updated], [[], 4]);
      for (const { id } of renamed.entities.gateways) {
        assertEquals((await gateway(String(id))).description, "Imported");
      }
      const { status: refreshed } = await sluice.api("POST", `/gateways/${held.id}/tools/refresh`);
      assertEquals([refreshed, (await gateway(held.id)).authType], [200, "bearer"]);
      const moved = structuredClone(file);
      const elsewhere = moved.entities.gateways.find(({ id }) => id === held.id)!;
      elsewhere.url = plain.url;
      const { body: told } = await importAs(undefined, moved, { dry_run: true });
      assertStringIncludes(told.warnings.join(), "its credentials are not in the file");
    },
  );

  await t.step(
    "an import needs the permissions of what it writes, and approval to decide about approval",
    async () => {
      const file = await fileOf();
      const { status, body } = await importAs(ann, file);
      assertEquals([status, body.code], [403, "FORBIDDEN"]);
      assertStringIncludes(body.detail, "tools.update");
      const scopes = ["admin.import", "gateways.create", "gateways.update"];
      const changer = await sluice.token({ admin: true, claims: { scopes: { permissions: scopes } } });
      const lax = {
        version: "1",
        exported_at: "now",
        entities: { gateways: [{ ...held, tool_approval: "off" }] },
      };
      const passed = await importAs(changer, lax);
      assertEquals([passed.status, passed.body.detail?.includes("gateways.approve")], [403, true]);
      // A file of ContextForge says nothing of approvals.
      const { name, url } = held;
      const silent = { ...lax, entities: { gateways: [{ name, url, auth_type: "bearer" }] } };
      assertEquals((await importAs(changer, silent)).status, 200);
      assertEquals((await gateway(held.id)).toolApproval, "all");
    },
  );

  await t.step("an export of credentials is recorded, without its passphrase", async () => {
    const asked = { passphrase: "correct horse battery" };
    assertEquals((await sluice.api("POST", "/export/selective", asked)).status, 200);
    const { body: audit } = await sluice.api("GET", "/audit?limit=1");
    const [{ operation, fields }] = audit.records;
    assertEquals([operation, fields], ["exportSelection", ["passphrase"]]);
    assertEquals(JSON.stringify(audit).includes(asked.passphrase), false);
  });

  await t.step("a hostile file is refused in words, and recorded", async () => {
    const entities = { gateways: [{ id: "constructor", name: "odd", url: `${plain.url}?odd` }] };
    const odd = await importAs(undefined, { version: "1", exported_at: "now", entities });
    assertEquals([odd.status, odd.body.progress?.created], [200, 1]);
    const { body: audit } = await sluice.api("GET", "/audit?limit=1");
    const [{ operation, changes }] = audit.records;
    // The leader may list upstreams meanwhile, which shows too.
    const told = ["constructor", "gateway taken"].filter((name) => Object.keys(changes).includes(name));
    assertEquals([operation, told], ["importConfiguration", ["constructor", "gateway taken"]]);
    const server = { id: "srv", name: "Travel", associated_tools: [] };
    await importAs(undefined, { version: "1", exported_at: "now", entities: { servers: [server] } });
    const [{ changes: made }] = (await sluice.api("GET", "/audit?limit=1")).body.records;
    assertEquals(made["server taken"], { before: null, after: ["Travel"] });
    const sealed = { ...entities.gateways[0], auth_type: "bearer", auth_value: "sluice.v1.x" };
    const file = {
      version: "1",
      exported_at: "now",
      encryption: { salt: "A=======A" },
      entities: { gateways: [sealed] },
    };
    const damaged = await importAs(undefined, file, { rekey_secret: "correct horse battery" });
    assertEquals([damaged.status, damaged.body.errors], [200, []]);
  });

  await t.step("an import that is refused for its servers has taken no upstream either", async () => {
    const entities = {
      gateways: [{ name: "late", url: `${plain.url}?late` }],
      servers: [{ name: "Travel", description: "Another one", tool_ids: [] }],
    };
    const file = { version: "1", exported_at: "now", entities };
    const { status, body } = await importAs(undefined, file, { conflict_strategy: "fail" });
    assertEquals(status, 409, JSON.stringify(body));
    assertStringIncludes(body.detail, "Nothing was imported");
    const names = (await sluice.api("GET", "/gateways")).body.map(({ name }: { name: string }) => name);
    assertEquals(names.includes("late"), false);
  });

  await t.step("an import leaves alone what its caller does not see", async () => {
    await grant("builder", ["gateways.create", "gateways.update", "gateways.approve"]);
    const taken = { id: secret.id, name: "secret", url: plain.url, visibility: "public" };
    const file = { version: "1", exported_at: "now", entities: { gateways: [taken] } };
    for (const [strategy, status] of [["update", 200], ["rename", 200], ["fail", 409]] as const) {
      assertEquals((await importAs(ann, file, { conflict_strategy: strategy })).status, status);
    }
    const { visibility, ownerEmail } = await gateway(secret.id);
    assertEquals([visibility, ownerEmail], ["private", "zoe@x.org"]);
  });
});

Deno.test("Where everything of an upstream waits for an approval, an import of its entries needs the permission to approve", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "1", TOOL_APPROVAL: "all" } });
  const permissions = ["admin.import", "gateways.create", "gateways.update", "tools.update"];
  const changer = await sluice.token({ admin: true, claims: { scopes: { permissions } } });
  const definition = { name: "add", description: "EVIL", inputSchema: { type: "object" } };
  const entities = {
    gateways: [{ id: "g1", name: "dead", url: "http://127.0.0.1:1/" }],
    tools: [{ id: "t1", name: "add", gateway_id: "g1", definition }],
  };
  const file = { version: "1", exported_at: "now", entities };
  const { status, body } = await sluice.api("POST", "/import", { import_data: file }, changer);
  assertEquals([status, body.code], [403, "FORBIDDEN"]);
  assertStringIncludes(body.detail, "gateways.approve");
  assertEquals((await sluice.api("GET", "/tools")).body, []);
});
