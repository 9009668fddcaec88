// What the store promises of users, teams and roles, whichever database is under it.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { SluiceError } from "../../src/base/errors.ts";
import { createRegistry, type Registry } from "../../src/store/registry/registry.ts";
import type { NewUser } from "../../src/store/people/users.ts";
import { MAX_SESSIONS_PER_USER } from "../../src/store/people/sso_sessions.ts";
import { catalogNumber, newServer } from "./registry_rows.ts";
import type { FreshDatabase } from "./store_contract.ts";

export type RegistryTest = (
  criterion: string,
  run: (registry: Registry, fresh: FreshDatabase) => Promise<void>,
) => void;

export function newUser(email: string, given: Partial<NewUser> = {}): NewUser {
  return {
    email,
    fullName: null,
    passwordHash: null,
    isAdmin: false,
    isActive: true,
    passwordChangeRequired: false,
    ...given,
  };
}

const team = (name: string, createdBy = "ann@x") => ({
  name,
  createdBy,
  description: null,
  visibility: "private" as const,
  maxMembers: null,
});

async function refused(act: () => Promise<unknown>, code: string, text = ""): Promise<void> {
  assertEquals((await assertRejects(act, SluiceError, text)).code, code);
}

export function peopleContract(registryTest: RegistryTest): void {
  registryTest(
    "a virtual server that gets the id of a deleted one has none of its roles",
    async (registry) => {
      const { people, servers } = registry;
      const user = await people.users.insert(newUser("ann@x"));
      for (const id of ["mine", "other"]) {
        await servers.insert(newServer({ id, name: id }));
        const assigned = { userId: user.id, roleId: "developer", scope: "server", scopeId: id } as const;
        await people.roles.assign({ ...assigned, grantedBy: "root@x", expiresAt: null });
      }
      const { version } = await people.read();
      assert(await servers.delete("mine"));
      await servers.insert(newServer({ id: "mine", name: "mine" }));
      const { changed, assignments } = await people.read(version);
      assertEquals(changed?.users, [user.id]);
      assertEquals(assignments.map(({ scopeId }) => scopeId), ["other"]);
    },
  );

  registryTest(
    "the groups of an identity provider give teams and roles anew at each sign-in, and take none that a person gave",
    async (registry) => {
      const { people } = registry;
      const user = await people.users.insert(newUser("ann@x"));
      const [ops, dev, own] = [
        await people.teams.insert(team("Ops"), null),
        await people.teams.insert(team("Dev"), null),
        await people.teams.insert(team("Own"), null),
      ];
      const limits = { members: 2, teams: 3 };
      await people.teams.addMember(own.id, user.id, "member", limits);
      const byPerson = { scopeId: "", grantedBy: "root@x", expiresAt: null } as const;
      await people.roles.assign({ userId: user.id, roleId: "viewer", scope: "global", ...byPerson });
      const set = (
        memberships: readonly { team: string; role: "owner" | "member" }[],
        roles: readonly { roleId: string; team: string | null }[] = [],
        source = "sso:main",
      ) =>
        people.setGivenRights({
          userId: user.id,
          source,
          given: { memberships, roles },
          limitsOf: (maxMembers) => ({ ...limits, members: maxMembers ?? limits.members }),
        });
      const held = async () => [
        (await Promise.all(
          [ops, dev, own].map(async ({ id, slug }) =>
            (await people.teams.members(id)).map(({ role }) => `${slug} ${role}`)
          ),
        )).flat(),
        (await people.roles.assignmentsOf(user.id)).map(({ roleId, scope }) => `${roleId} ${scope}`).sort(),
      ];
      // By slug and by id; of two roles in a team the higher counts; what there is not is told.
      const first = await set(
        [
          { team: "ops", role: "owner" },
          { team: ops.id, role: "member" },
          { team: dev.id, role: "member" },
          { team: "none", role: "member" },
        ],
        [{ roleId: "platform_admin", team: null }, { roleId: "developer", team: "ops" }, {
          roleId: "viewer",
          team: null,
        }, { roleId: "developer", team: "none" }],
      );
      assertEquals(first, { hasChanged: true, unknownTeams: ["none"], fullTeams: [] });
      assertEquals(await held(), [
        ["ops owner", "dev member", "own member"],
        ["developer team", "platform_admin global", "viewer global"],
      ]);
      assert(await people.users.hasAdministrator());
      // The same again changes nothing, so that no worker reads anything again.
      const version = await people.readVersion();
      assertEquals(
        (await set([{ team: "ops", role: "owner" }, { team: "dev", role: "member" }], [
          { roleId: "platform_admin", team: null },
          { roleId: "developer", team: "ops" },
        ])).hasChanged,
        false,
      );
      assertEquals(await people.readVersion(), version);
      // Another provider takes nothing of the first one.
      await set([], [], "sso:other");
      assertEquals((await held())[0], ["ops owner", "dev member", "own member"]);
      assertEquals((await set([{ team: "ops", role: "member" }])).hasChanged, true);
      assertEquals(await held(), [["ops member", "own member"], ["viewer global"]]);
      await set([]);
      assertEquals(await held(), [["own member"], ["viewer global"]]);
      // A team with as many members as it may have, and a user in as many teams.
      await people.teams.update(dev.id, { maxMembers: 1 });
      const other = await people.users.insert(newUser("bob@x"));
      await people.teams.addMember(dev.id, other.id, "member", limits);
      assertEquals((await set([{ team: "dev", role: "member" }])).fullTeams, ["dev"]);
    },
  );

  registryTest(
    "a user is known by the subject at a provider, and a provider's logout takes the sessions of one sid, or all",
    async (registry) => {
      const { sso, users } = registry.people;
      const [ann, bob] = [await users.insert(newUser("ann@x")), await users.insert(newUser("bob@x"))];
      const at = (issuer: string) => ({ issuer, subject: "17", provider: "main" });
      assertEquals(await sso.userOf(at("https://a")), null);
      await sso.identify(at("https://a"), ann.id);
      await sso.identify(at("https://a"), bob.id);
      // The provider's id names another issuer now.
      assertEquals([(await sso.userOf(at("https://a")))?.email, await sso.userOf(at("https://b"))], [
        "ann@x",
        null,
      ]);
      await sso.identify(at("https://b"), bob.id);
      assertEquals((await sso.userOf(at("https://b")))?.email, "bob@x");
      assertEquals(
        [...await sso.providersOf([ann.id, bob.id, "nobody"])].toSorted(),
        [
          [ann.id, "main"],
          [bob.id, "main"],
        ].toSorted(),
      );
      // An identity from before issuers were kept, and one whose subject is known by its issuer already.
      await sso.identify({ ...at("provider:main"), subject: "18" }, bob.id);
      await sso.identify(at("provider:main"), bob.id);
      await sso.adopt("main", "https://a");
      assertEquals(
        [
          (await sso.userOf({ ...at("https://a"), subject: "18" }))?.email,
          (await sso.userOf(at("https://a")))?.email,
        ],
        ["bob@x", "ann@x"],
      );
      const session = (jti: string, sid: string | null, given = {}) => ({
        ...{ jti, provider: "main", subject: "17", sid, userId: ann.id, idToken: null },
        expiresAt: Date.now() + 60_000,
        ...given,
      });
      for (const row of [session("1", "a"), session("2", "a"), session("3", "b"), session("4", null)]) {
        assertEquals(await sso.insert(row), []);
      }
      await sso.insert(session("5", "a", { provider: "other" }));
      const taken = async (subject: string | null, sid: string | null) =>
        (await sso.takeAll({ provider: "main", subject, sid })).map(({ jti }) => jti).sort();
      assertEquals(await taken("18", "a"), []);
      assertEquals(await taken(null, "a"), ["1", "2"]);
      assertEquals(await taken("17", null), ["3", "4"]);
      assertEquals([(await sso.take("5"))?.sid, await sso.take("5")], ["a", null]);
      // A user's sessions are bounded: the one that expires first goes.
      const end = Date.now() + 60_000;
      for (let i = 0; i < MAX_SESSIONS_PER_USER; i++) {
        await sso.insert(session(`s${i}`, null, { expiresAt: end + i }));
      }
      const beyond = await sso.insert(session("last", null, { expiresAt: end + 100 }));
      assertEquals(beyond.map(({ jti }) => jti), ["s0"]);
      // What works once, until it is forgotten.
      assertEquals([await sso.use("state", 60_000), await sso.use("state", 60_000)], [true, false]);
      assertEquals([await sso.use("short", -1), await sso.use("short", 1)], [true, false]);
      await sso.sweep();
      assertEquals([await sso.use("short", 1), await sso.use("state", 1)], [true, false]);
      await users.delete("ann@x");
      assertEquals([await sso.userOf(at("https://a")), await sso.take("last")], [null, null]);
    },
  );

  registryTest(
    "users have one row by email address in any case, and a personal team until they go",
    async (registry) => {
      const { users, teams } = registry.people;
      const ann = await users.insert(newUser(" Ann@X ", { fullName: "Ann" }));
      assertEquals([ann.email, (await users.get("ANN@x"))?.id], ["ann@x", ann.id]);
      await refused(() => users.insert(newUser("ann@x")), "CONFLICT", "ann@x exists already");
      const [own] = await teams.list(ann.id);
      assertEquals([own.isPersonal, own.name, (await teams.list()).length], [true, "Ann's team", 0]);
      await users.insert(newUser("_b@x"));
      await users.insert(newUser("Zoe@x"));
      assertEquals((await users.list({ limit: 2 })).map(({ email }) => email), ["_b@x", "ann@x"]);
      assertEquals((await users.list({ limit: 2, after: "ann@x" })).map(({ email }) => email), ["zoe@x"]);
      assert(await users.delete("ANN@X"));
      assertEquals([await users.delete("ann@x"), await teams.get(own.id), await users.count()], [
        false,
        null,
        2,
      ]);
    },
  );

  registryTest(
    "users.countFailure() counts each of many wrong passwords, and changes no version",
    async (registry) => {
      const { users, readVersion } = registry.people;
      await users.insert(newUser("ann@x"));
      const before = [await readVersion(), await registry.readCatalogVersion()];
      await Promise.all(Array.from({ length: 5 }, () => users.countFailure("ann@x")));
      assertEquals(await users.countFailure("ann@x"), 6);
      await users.noteLogin("ann@x", { failedAttempts: 0, lockedUntil: null, lastLogin: "2026-01-01" });
      const ann = await users.get("ann@x");
      assertEquals([ann?.failedAttempts, ann?.lastLogin], [0, "2026-01-01"]);
      assertEquals([await readVersion(), await registry.readCatalogVersion()], before);
      assertEquals(await users.countFailure("nobody@x"), 0);
    },
  );

  registryTest(
    "users, teams and roles are one change of the catalog each, and read only if they have changed",
    async (registry) => {
      const { users, teams, roles } = registry.people;
      const versions = async () =>
        [await registry.people.readVersion(), await catalogNumber(registry)] as const;
      const grows = async (act: () => Promise<unknown>) => {
        const [people, all] = await versions();
        await act();
        assertEquals(await versions(), [people + 1, all + 1]);
      };
      let ann = "";
      let ours = "";
      await grows(async () => ann = (await users.insert(newUser("ann@x", { isAdmin: true }))).id);
      await grows(async () => ours = (await teams.insert(team("Ours"), { id: ann, maxTeams: 2 })).id);
      await grows(() => users.update("ann@x", { isActive: false, tokensValidFrom: 1_790_000_000_000 }));
      const auditor = {
        name: "auditor",
        description: "",
        scope: "global",
        permissions: ["tools.read"],
      } as const;
      const role = await roles.insert({ ...auditor, createdBy: "ann@x" });
      const grant = { userId: ann, roleId: role.id, scope: "team", scopeId: ours, expiresAt: null } as const;
      await grows(() => roles.assign({ ...grant, grantedBy: "ann@x" }));
      const rows = await registry.readCatalog();
      const personal = (await teams.list(ann)).find(({ isPersonal }) => isPersonal)!.id;
      const { members, ...others } = rows.people!;
      assertEquals(members.map(({ userId, memberships }) => [userId, JSON.parse(memberships)]), [
        [ann, { [personal]: "owner", [ours]: "owner" }],
      ]);
      assertEquals(others, {
        changed: null,
        version: await registry.people.readVersion(),
        users: [{
          id: ann,
          email: "ann@x",
          isAdmin: true,
          isActive: false,
          tokensValidFrom: 1_790_000_000_000,
        }],
        teams: [{ id: ours, slug: "ours" }],
        roles: [{ id: role.id, name: "auditor", permissions: ["tools.read"] }],
        assignments: [grant],
      });
      assertEquals((await registry.readCatalog(rows.versions)).people, null);
      await grows(() => roles.delete(role.id));
      assertEquals(await roles.assignmentsOf(ann), []);
      assertEquals(
        (await registry.readCatalog(rows.versions)).people?.assignments,
        [],
      );
    },
  );

  registryTest(
    "a role that has ended makes room for the same role",
    async (registry) => {
      const { users, roles } = registry.people;
      const { id: userId } = await users.insert(newUser("ann@x"));
      const grant = { userId, roleId: "viewer", scope: "global", scopeId: "", grantedBy: "ada@x" } as const;
      const until = async () => (await roles.assignmentsOf(userId)).map(({ expiresAt }) => expiresAt);
      await roles.assign({ ...grant, expiresAt: 1 });
      const later = Date.UTC(2100, 0, 1);
      await roles.assign({ ...grant, expiresAt: later });
      assertEquals(await until(), [later]);
      await refused(() => roles.assign({ ...grant, expiresAt: null }), "CONFLICT", "revoke it first");
      assertEquals((await registry.readCatalog()).people?.assignments[0].expiresAt, later);
    },
  );

  registryTest(
    "teams keep an owner, and their limits hold for concurrent writes",
    async (registry, { another }) => {
      const other = createRegistry(await another());
      const { users, teams } = registry.people;
      const ids = [];
      for (const name of ["ann", "bob", "cid", "dan"]) {
        ids.push(
          (await users.insert(newUser(`${name}@x`))).id,
        );
      }
      const [ann, bob, cid, dan] = ids;
      const ours = await teams.insert(team("Ours"), { id: ann, maxTeams: 1 });
      await refused(() => teams.insert(team("ours "), { id: bob, maxTeams: 1 }), "CONFLICT", "compared as");
      await refused(
        () => teams.insert(team("Second"), { id: ann, maxTeams: 1 }),
        "CONFLICT",
        "MAX_TEAMS_PER_USER",
      );
      const added = await Promise.allSettled(
        [bob, cid, dan].map((id, i) =>
          (i === 1 ? other : registry).people.teams.addMember(ours.id, id, "member", { members: 2, teams: 9 })
        ),
      );
      assertEquals(added.filter(({ status }) => status === "fulfilled").length, 1);
      const [{ email }] = (await teams.members(ours.id)).filter(({ role }) => role === "member");
      const second = (await users.get(email))!.id;
      await refused(
        () => teams.addMember(ours.id, second, "member", { members: 9, teams: 9 }),
        "CONFLICT",
        "member of the team already",
      );
      await refused(() => teams.removeMember(ours.id, ann), "CONFLICT", "no owner");
      await refused(() => teams.changeMember(ours.id, ann, "member"), "CONFLICT", "no owner");
      await refused(
        () => teams.addMember(ours.id, second, "member", { members: 9, teams: 1 }),
        "CONFLICT",
        "MAX_TEAMS_PER_USER",
      );
      await teams.changeMember(ours.id, second, "owner");
      const left = await Promise.allSettled([
        teams.removeMember(ours.id, ann),
        other.people.teams.removeMember(ours.id, second),
      ]);
      assertEquals(left.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
      const page = async (only: readonly string[] | null, given = {}) => {
        const found = await teams.page({ only, skip: 0, limit: 10, ...given });
        return [found.teams.map(({ name, memberCount }) => `${name} ${memberCount}`), found.total] as const;
      };
      await teams.insert({ ...team("Zoo"), visibility: "public" }, null);
      await teams.insert({ ...team("apes"), visibility: "public" }, null);
      const ourNames = `${ours.name} 1`;
      assertEquals(await page([ours.id]), [[ourNames], 1]);
      assertEquals([await page([]), await page(["none"])], [[[], 0], [[], 0]]);
      const personal = (await teams.list(second)).find(({ isPersonal }) => isPersonal)!.id;
      assertEquals((await page([ours.id, personal]))[1], 2);
      assertEquals(await page([ours.id, personal], { isShared: true }), [[ourNames], 1]);
      const [all, total] = await page(null);
      assertEquals([await page(null, { skip: 1, limit: 1 })], [[all.slice(1, 2), total]]);
      assertEquals(all, all.toSorted());
      assertEquals(await page(null, { isPublic: true }), [["Zoo 0", "apes 0"], 2]);
      assertEquals((await page(null, { without: [ours.id] }))[1], Number(total) - 1);
      await teams.insert(team("Äpfel & R%D"), null);
      const found = async (...words: string[]) => (await page(null, { words }))[0];
      assertEquals(await found("ZO", "oO"), ["Zoo 0"]);
      assertEquals([await found("äPF"), await found("äpf", "r%d"), await found("%")], [
        ...Array.from({ length: 3 }, () => ["Äpfel & R%D 0"]),
      ]);
      assertEquals([await found("_"), await found("zoo", "apes"), await found("r-d")], [[], [], []]);
      assert(await teams.delete(ours.id));
      assertEquals(await teams.get(ours.id), null);
    },
  );

  registryTest(
    "members leave a team that never had an owner, and one whose owner was deleted",
    async ({ people: { teams, users } }) => {
      const limits = { members: 9, teams: 9 };
      const owner = await users.insert(newUser("owner@x"));
      const { id: member } = await users.insert(newUser("member@x"));
      const without = await teams.insert(team("Without"), null);
      const left = await teams.insert(team("Left"), { id: owner.id, maxTeams: 9 });
      for (const { id } of [without, left]) await teams.addMember(id, member, "member", limits);
      assert(await users.delete(owner.email));
      for (const { id } of [without, left]) {
        assertEquals((await teams.changeMember(id, member, "member")).role, "member");
        await teams.removeMember(id, member);
        await refused(() => teams.removeMember(id, member), "NOT_FOUND");
        await refused(() => teams.changeMember(id, member, "member"), "NOT_FOUND");
        await teams.addMember(id, member, "owner", limits);
        await refused(() => teams.removeMember(id, member), "CONFLICT", "no owner");
        assertEquals((await teams.changeMember(id, member, "owner")).role, "owner");
      }
    },
  );

  registryTest("an invitation is for its address, once, and while it is valid", async (registry) => {
    const { users, teams } = registry.people;
    const ann = await users.insert(newUser("ann@x"));
    const bob = await users.insert(newUser("bob@x"));
    const ours = await teams.insert(team("Ours"), { id: ann.id, maxTeams: 9 });
    const invitation = { teamId: ours.id, email: "bob@x", role: "member", invitedBy: "ann@x" } as const;
    await teams.invite({ ...invitation, tokenHash: "old" }, 60_000, 1);
    await teams.invite({ ...invitation, tokenHash: "new" }, 60_000, 1);
    await refused(
      () => teams.invite({ ...invitation, email: "cid@x", tokenHash: "c" }, 60_000, 1),
      "CONFLICT",
      "1 open invitations",
    );
    for (const [hash, user] of [["old", bob], ["new", ann], ["nothing", bob]] as const) {
      await refused(() => teams.accept(hash, user, () => ({ members: 9, teams: 9 })), "NOT_FOUND");
    }
    assertEquals((await teams.accept("new", bob, () => ({ members: 9, teams: 9 }))).role, "member");
    await refused(() => teams.accept("new", bob, () => ({ members: 9, teams: 9 })), "NOT_FOUND");
    await teams.invite({ ...invitation, email: "cid@x", tokenHash: "late" }, -1, 9);
    assertEquals(await teams.invitations(ours.id), []);
  });

  registryTest(
    "a one-time token is handed out by one process, and used once",
    async (registry, { another }) => {
      const other = createRegistry(await another());
      const offered = await Promise.all(
        [registry, other].map(({ people }, i) => people.oneTimeTokens.offer("setup", `hash${i}`, 60_000)),
      );
      assertEquals(offered.toSorted(), [false, true]);
      const hash = `hash${offered.indexOf(true)}`;
      assertEquals(await registry.people.oneTimeTokens.use("setup", "guess"), false);
      assertEquals(await registry.people.oneTimeTokens.use("other", hash), false);
      const used = await Promise.all(
        [registry, other].map(({ people }) => people.oneTimeTokens.use("setup", hash)),
      );
      assertEquals(used.toSorted(), [false, true]);
      assert(await registry.people.oneTimeTokens.offer("setup", "brief", -1));
      assertEquals(await registry.people.oneTimeTokens.use("setup", "brief"), false);
      assert(await registry.people.oneTimeTokens.offer("setup", "next", 60_000));
    },
  );
}
