// What the store promises of reading changes of users, teams and roles: the same as reading all of them.
import { assert, assertEquals } from "@std/assert";
import { People } from "../../src/auth/people.ts";
import { SluiceError } from "../../src/base/errors.ts";
import { KEPT_VERSIONS, type KnownVersions } from "../../src/store/sql/catalog_version.ts";
import { MAX_CHANGED } from "../../src/store/sql/change_log.ts";
import type { PeopleStore } from "../../src/store/people/people_store.ts";
import { createRegistry, type Registry } from "../../src/store/registry/registry.ts";
import { raisePeopleVersion } from "../../src/store/sql/catalog_version.ts";
import { ConstraintError, type Database, sql } from "../../src/store/sql/sql.ts";
import { principal } from "./fakes.ts";
import { newUser, type RegistryTest } from "./people_contract.ts";
import { Prng } from "./prng.ts";
import { RANDOM_SEED } from "./random_seed.ts";
import { inRandomRounds } from "./random_rounds.ts";

const OPTIONS = { platformAdminEmail: "root@x", requireUser: false, now: () => 1_000 };

const EMAILS = Array.from({ length: 8 }, (_, i) => `user${i}@x`);
const TEAMS = Array.from({ length: 5 }, (_, i) => `Team ${i}`);
const ROLES = ["auditor", "helper", "guest"];
const PERMISSIONS = [["tools.read"], ["tools.read", "tools.execute"], ["*"], []];

/** A worker's users, teams and roles, read as workers read them. */
class Reader {
  #people: People | null = null;
  #known: KnownVersions | undefined;
  readonly #registry: Registry;
  /** How often the rows that have changed were enough. */
  partly = 0;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  async read(): Promise<People> {
    const { people: rows, versions } = await this.#registry.readCatalog(this.#known);
    this.#known = versions;
    if (rows === null) return this.#people!;
    if (rows.changed !== null) this.partly++;
    return this.#people = new People(rows, OPTIONS, this.#people);
  }
}

/** What everybody may do, with and without a user record. */
function everythingOf(people: People): unknown[] {
  const resolved = (given: Parameters<typeof principal>[0]) => {
    try {
      return people.resolve(principal({ isLogin: true, issuedAt: 5, ...given }));
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      return error.message;
    }
  };
  const given = {
    isAdmin: false,
    teams: TEAMS.map((name) => ({ team: name.toLowerCase().replace(" ", "-"), role: "member" })),
    roles: ROLES,
  };
  return [
    people.version,
    ...EMAILS.map((email) => resolved({ subject: email, email })),
    resolved({ subject: "other", email: "other@y", given }),
  ];
}

/** One write at random. Many are refused, for example the second user of an address. */
async function writeAtRandom(prng: Prng, database: Database, registry: Registry): Promise<void> {
  const { users, teams, roles, setGivenRights }: PeopleStore = registry.people;
  const email = prng.pick(EMAILS);
  const user = await users.get(email);
  const team = prng.pick([...await teams.list(), null]);
  const role = prng.pick([...await roles.list(), null]);
  const limits = { members: 100, teams: 100 };
  const scope = prng.pick(["global", "team", "server"] as const);
  const grant = {
    ...{ userId: user?.id ?? "", roleId: role?.id ?? "viewer", scope },
    scopeId: scope === "team" ? team?.id ?? "" : scope === "server" ? "s1" : "",
  };
  const writes: (() => Promise<unknown>)[] = [
    () => users.insert(newUser(email, { isAdmin: prng.chance(0.2) })),
    () => users.insert(newUser(email)),
    () => users.insert(newUser(email)),
    () => users.delete(email),
    () => users.update(email, { isActive: prng.chance(0.7), tokensValidFrom: prng.pick([null, 3, 7]) }),
    () => users.update(email, { isAdmin: prng.chance(0.3), fullName: "Ann" }),
    () =>
      teams.insert(
        {
          ...{ name: prng.pick(TEAMS), description: null, visibility: "private", maxMembers: null },
          createdBy: email,
        },
        user === null ? null : { id: user.id, maxTeams: 100 },
      ),
    () => teams.update(team?.id ?? "", { name: prng.pick(TEAMS) }),
    () => teams.delete(team?.id ?? ""),
    () => teams.addMember(team?.id ?? "", user?.id ?? "", prng.pick(["owner", "member"]), limits),
    () => teams.addMember(team?.id ?? "", user?.id ?? "", "owner", limits),
    () => teams.changeMember(team?.id ?? "", user?.id ?? "", prng.pick(["owner", "member"])),
    () => teams.removeMember(team?.id ?? "", user?.id ?? ""),
    () =>
      roles.insert({
        ...{ name: prng.pick(ROLES), description: "", scope: "global", createdBy: email },
        permissions: prng.pick(PERMISSIONS),
      }),
    () => roles.update(role?.id ?? "", { permissions: prng.pick(PERMISSIONS) }),
    () => roles.update(role?.id ?? "", { name: prng.pick(ROLES) }),
    () => roles.update(role?.id ?? "", { permissions: prng.pick(PERMISSIONS) }),
    () => roles.delete(role?.id ?? ""),
    () => roles.assign({ ...grant, grantedBy: email, expiresAt: prng.pick([null, null, 500, 5_000]) }),
    () => roles.assign({ ...grant, grantedBy: email, expiresAt: null }),
    () => roles.revoke(grant),
    () =>
      setGivenRights({
        userId: user?.id ?? "",
        source: "sso:main",
        given: {
          memberships: [{ team: team?.id ?? "", role: "member" }],
          roles: prng.chance(0.5) ? [{ roleId: "developer", team: team?.slug ?? null }] : [],
        },
        limitsOf: () => limits,
      }),
    () => prng.chance(0.2) ? writeAsBefore(database, email) : Promise.resolve(),
  ];
  await prng.pick(writes)();
}

/** As a gateway writes whose version keeps no ids of what has changed. */
async function writeAsBefore(database: Database, email: string): Promise<void> {
  await database.transaction(async (tx) => {
    await raisePeopleVersion(tx);
    await tx.run(sql`UPDATE users SET is_admin = 1 - is_admin WHERE email = ${email}`);
  });
}

function isRefusal(error: unknown): boolean {
  return error instanceof SluiceError || error instanceof ConstraintError;
}

export function peopleChangesContract(registryTest: RegistryTest): void {
  registryTest(
    "what has changed of users, teams and roles, and all of them, are the same after any writes of two stores",
    async (registry, fresh) => {
      const prng = new Prng(RANDOM_SEED);
      const other = createRegistry(await fresh.another());
      const readers = [new Reader(registry), new Reader(other)];
      const stores = [[fresh.database, registry], [await fresh.another(), other]] as const;
      await inRandomRounds(prng, {
        ...{ rounds: 50, writes: 6, stores, readers, isRefusal },
        write: ([database, store]) => writeAtRandom(prng, database, store),
        check: async (reader, round) => {
          const all = new People((await registry.readCatalog()).people!, OPTIONS);
          assertEquals(
            everythingOf(await reader.read()),
            everythingOf(all),
            `seed ${RANDOM_SEED}, round ${round}`,
          );
        },
      });
      assert(
        readers.every(({ partly }) => partly > 3),
        `seed ${RANDOM_SEED}: ${readers.map((r) => r.partly)}`,
      );
    },
  );

  registryTest(
    "all users, teams and roles are read again where it is not kept what has changed",
    async (registry, { database }) => {
      const { users, teams } = registry.people;
      const { id } = await users.insert(newUser("ann@x"));
      const read = async (since: number) => (await registry.people.read(since)).changed;
      const version = () => registry.people.readVersion();
      const first = await version();
      await users.update("ann@x", { isAdmin: true });
      assertEquals(await read(first), { users: [id], teams: [], roles: [] });
      assertEquals(await read(first + 1), { users: [], teams: [], roles: [] });
      // The database of a backup.
      assertEquals(await read(first + 2), null);
      await writeAsBefore(database, "ann@x");
      assertEquals(await read(first), null);
      assertEquals(await read(first + 1), null);
      // One write that changes many.
      const owner = { id, maxTeams: 2 };
      const team = { name: "Ours", description: null, visibility: "private", maxMembers: null } as const;
      const ours = await teams.insert({ ...team, createdBy: "ann@x" }, owner);
      const many = Array.from({ length: MAX_CHANGED }, (_, i) => `m${i}`);
      for (let start = 0; start < many.length; start += 100) {
        const some = many.slice(start, start + 100);
        await database.run(
          sql`INSERT INTO users (id, email, is_admin, is_active, password_change_required, failed_attempts,
                created_at, updated_at)
              VALUES ${sql.join(some.map((each) => sql`(${each}, ${each}, 0, 1, 0, 0, '', '')`))}`,
        );
        await database.run(
          sql`INSERT INTO team_members (team_id, user_id, role, joined_at)
              VALUES ${sql.join(some.map((each) => sql`(${ours.id}, ${each}, 'member', '')`))}`,
        );
      }
      const before = await version();
      await teams.delete(ours.id);
      assertEquals(await read(before), null);
      // Of many versions, the last keep their ids.
      const oldest = await version();
      await users.update("ann@x", { isActive: false });
      await database.run(
        sql`UPDATE catalog_version SET people_version = people_version + ${KEPT_VERSIONS - 2}`,
      );
      const kept = async () =>
        (await database.query<{ version: number }>(
          sql`SELECT version FROM people_changes WHERE version > ${oldest} ORDER BY version`,
        )).map((row) => Number(row.version) - oldest);
      await users.update("ann@x", { isActive: true });
      assertEquals(await kept(), [1, KEPT_VERSIONS]);
      await users.update("ann@x", { isActive: false });
      assertEquals(await kept(), [KEPT_VERSIONS, KEPT_VERSIONS + 1]);
      assertEquals(await read(oldest), null);
      assertEquals((await read(oldest + KEPT_VERSIONS - 1))?.users, [id]);
    },
  );
}
