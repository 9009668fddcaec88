// Pages and reads that workers keep: whoever asks, and whatever has changed before, nobody sees what is another's or what was.
import { assert, assertEquals } from "@std/assert";
import { paced } from "../support/pace.ts";
import { RANDOM_SEED } from "../support/random_seed.ts";
import { withTwo } from "../support/two_replicas.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const PASSWORD = "correct horse battery";
const USERS = "/auth/email/admin/users";
const TEAMS = ["red", "blue"];

/** `KEPT_PAGES_STEPS` makes a run longer. */
const STEPS = Number(Deno.env.get("KEPT_PAGES_STEPS") ?? 40);

interface Asked {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Seen {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** A page as a browser asks for it, or a read as a program does. */
async function see(
  { url }: { readonly url: string },
  path: string,
  { token, headers }: Asked,
): Promise<Seen> {
  const isPage = path.startsWith("/admin");
  const response = await fetch(url + path, {
    redirect: "manual",
    headers: {
      ...(token === undefined
        ? {}
        : isPage
        ? { cookie: `sluice_session=${token}`, accept: "text/html" }
        : { authorization: `Bearer ${token}` }),
      ...headers,
    },
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** Over connections of their own: every worker gets some of them. */
function seeMany(sluice: Sluice, path: string, asked: Asked): Promise<Seen[]> {
  return Promise.all(Array.from({ length: 4 * sluice.workers }, () => see(sluice, path, asked)));
}

/** mulberry32 */
function dice(seed: number): (sides: number) => number {
  return (sides) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

interface Person {
  readonly email: string;
  readonly teams: Set<string>;
  isAdmin: boolean;
  isActive: boolean;
  token: string;
}

interface Entry {
  readonly id: string;
  /** Unique in all the run: what a page shows tells which version of which entry it has seen. */
  name: string;
  /** null: everybody's. */
  team: string | null;
}

Deno.test(`No user sees another's data or an old answer, whatever changes between looks (seed ${RANDOM_SEED})`, async () => {
  await using sluice = await Sluice.start({ env: { FAILED_LOGIN_MIN_RESPONSE_MS: "0", WORKERS: "2" } });
  const roll = dice(RANDOM_SEED);
  const pick = <T>(of: readonly T[]): T => of[roll(of.length)]!;
  const done = async (method: string, path: string, body?: unknown, token?: string) => {
    const answer = await sluice.api(method, path, body, token);
    assert(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const teamIds = new Map<string, string>();
  // Somebody owns the teams and administers, whatever the others do.
  await done("POST", USERS, { email: "owner@x.org", password: PASSWORD, is_admin: true });
  for (const name of TEAMS) {
    const { id } = await done("POST", "/teams", { name });
    teamIds.set(name, id);
    await done("POST", `/teams/${id}/members`, { email: "owner@x.org", role: "owner" });
  }
  const logIn = async (email: string): Promise<string> => {
    const { status, body } = await sluice.api("POST", "/auth/login", { email, password: PASSWORD }, null);
    assertEquals(status, 200);
    return body.access_token;
  };
  const people: Person[] = [];
  for (const name of ["ann", "bob", "cid"]) {
    const email = `${name}@x.org`;
    await done("POST", USERS, { email, password: PASSWORD });
    people.push({ email, teams: new Set(), isAdmin: false, isActive: true, token: await logIn(email) });
  }
  const entries: Entry[] = [];
  let names = 0;
  for (const team of [null, ...TEAMS]) {
    const name = `srv${names++}z`;
    const { id } = await done("POST", "/servers", {
      server: { name },
      ...(team === null ? { visibility: "public" } : { visibility: "team", team_id: teamIds.get(team) }),
    });
    entries.push({ id, name, team });
  }

  /** Tokens that must open nothing. */
  const ended: string[] = [];
  const changes: (() => Promise<unknown>)[] = [
    async () => {
      const entry = pick(entries);
      entry.name = `srv${names++}z`;
      await done("PUT", `/servers/${entry.id}`, { name: entry.name });
    },
    async () => {
      const entry = pick(entries);
      entry.team = pick([null, ...TEAMS]);
      await done(
        "PUT",
        `/servers/${entry.id}`,
        entry.team === null
          ? { visibility: "public" }
          : { visibility: "team", team_id: teamIds.get(entry.team) },
      );
    },
    async () => {
      const [person, team] = [pick(people), pick(TEAMS)];
      const members = `/teams/${teamIds.get(team)}/members`;
      if (person.teams.delete(team)) return await done("DELETE", `${members}/${person.email}`);
      person.teams.add(team);
      await done("POST", members, { email: person.email });
    },
    async () => {
      const person = pick(people);
      person.isAdmin = !person.isAdmin;
      await done("PATCH", `${USERS}/${person.email}`, { is_admin: person.isAdmin });
    },
    async () => {
      const person = pick(people);
      if (!person.isActive) return;
      await done("POST", "/auth/logout", undefined, person.token);
      ended.push(person.token);
      person.token = await logIn(person.email);
    },
    async () => {
      const person = pick(people);
      person.isActive = !person.isActive;
      await done("PATCH", `${USERS}/${person.email}`, { is_active: person.isActive });
      if (person.isActive) person.token = await logIn(person.email);
    },
  ];

  const seesAll = async (person: Person, path: string, shown: readonly Entry[]) => {
    const headers = { "accept-encoding": pick(["br", "gzip", "identity"]) };
    const { status, text } = await see(sluice, path, { token: person.token, headers });
    const names = [...new Set(text.match(/srv\d+z/g))].toSorted();
    const visible = shown.filter(({ team }) => team === null || person.isAdmin || person.teams.has(team));
    const what = `${person.email} ${JSON.stringify([...person.teams])} admin ${person.isAdmin} ${path}`;
    if (!person.isActive) {
      assertEquals([what, status, names], [what, path.startsWith("/admin") ? 303 : 401, []]);
      return;
    }
    assertEquals([what, names], [what, visible.map(({ name }) => name).toSorted()]);
    assertEquals([what, status], [what, shown.length === 1 && visible.length === 0 ? 404 : 200]);
    if (path.startsWith("/admin")) assert(text.includes(person.email), `${what}: the page is another's`);
  };
  const looks = (person: Person): Promise<void>[] => {
    const entry = pick(entries);
    return [
      seesAll(person, "/admin/virtual-servers", entries),
      seesAll(person, "/servers", entries),
      seesAll(person, `/servers/${entry.id}`, [entry]),
      seesAll(person, `/admin/virtual-servers/${entry.id}`, [entry]),
    ];
  };
  let hits = 0;
  for (let step = 0; step < STEPS; step++) {
    await pick(changes)();
    // Twice, so that what the first look made is given to the second.
    for (let again = 0; again < 2; again++) await Promise.all(people.flatMap(looks));
    for (const token of ended.slice(-2)) {
      const [page, read] = [
        await see(sluice, "/admin/virtual-servers", { token }),
        await see(sluice, "/servers", { token }),
      ];
      assertEquals([page.status, page.text, read.status], [303, "", 401]);
    }
  }
  for (const person of people.filter(({ isActive }) => isActive)) {
    for (const path of ["/admin/virtual-servers", "/admin", "/servers"]) {
      const seen = await seeMany(sluice, path, { token: person.token });
      hits += seen.filter(({ headers }) => headers.get("x-cache-status") === "HIT").length;
    }
  }
  assert(hits > 0 || people.every(({ isActive }) => !isActive), "nothing was kept");
});

Deno.test("A kept page says so, is compressed once, and another one is not kept", async () => {
  await using sluice = await Sluice.start({ env: { RESPONSE_CACHE_TTL: "3600", WORKERS: "1" } });
  const token = await sluice.token();
  const statusOf = async (path: string, asked: Asked = {}) => {
    const { headers } = await see(sluice, path, { token, ...asked });
    return headers.get("x-cache-status");
  };
  for (const path of ["/admin", "/admin/tools", "/admin/tools?q=a", "/admin/help/tokens"]) {
    for (const coding of ["br", "gzip", "identity"]) {
      const headers = { "accept-encoding": coding };
      assertEquals([path, coding, await statusOf(path, { headers })], [path, coding, "MISS"]);
      assertEquals([path, coding, await statusOf(path, { headers })], [path, coding, "HIT"]);
    }
  }
  // Forms, what is shown once, what happens now, and what no version of the registry covers.
  for (
    const path of ["/admin/upstreams/new", "/admin/?live", "/admin/audit", "/admin/tokens", "/admin/sign-in"]
  ) {
    const answers = [await statusOf(path), await statusOf(path)];
    assertEquals([path, answers.includes("HIT")], [path, false]);
  }
  const notice = encodeURIComponent(JSON.stringify({ text: "It is done, for you." }));
  const { text, headers } = await see(sluice, "/admin/tools", {
    headers: { cookie: `sluice_session=${token}; sluice_notice=${notice}`, accept: "text/html" },
  });
  assertEquals([text.includes("It is done, for you."), headers.get("x-cache-status")], [true, "BYPASS"]);
  assert(headers.getSetCookie().some((cookie) => cookie.startsWith("sluice_notice=;")));
  const kept = await see(sluice, "/admin/tools", { token });
  assertEquals([kept.text.includes("It is done"), kept.headers.getSetCookie()], [false, []]);
  assertEquals(kept.headers.get("cache-control"), "private, no-store");
  assertEquals(kept.headers.get("vary"), "Accept, Accept-Encoding, Authorization, Cookie, HX-Request");
  // At another address of the gateway the page has other links.
  const elsewhere = { url: sluice.url.replace("127.0.0.1", "localhost") };
  assertEquals((await see(elsewhere, "/admin/tools", { token })).headers.get("x-cache-status"), "MISS");
  // Another token of the same user.
  const renewed = await sluice.token({ claims: { jti: "another" } });
  assertEquals((await see(sluice, "/admin/tools", { token: renewed })).headers.get("x-cache-status"), "MISS");
});

Deno.test("RESPONSE_CACHE_TTL: pages are given for that time, then while a new one is made; 0 keeps none", async () => {
  const ttlS = await paced(0.5);
  await using sluice = await Sluice.start({ env: { RESPONSE_CACHE_TTL: String(ttlS), WORKERS: "1" } });
  const token = await sluice.token();
  const statuses = new Set<string | null>();
  await waitFor(async () => {
    statuses.add((await see(sluice, "/admin", { token })).headers.get("x-cache-status"));
    return statuses.size === 3;
  }, { what: () => `a third status beside ${[...statuses]}` });
  assertEquals([...statuses].toSorted(), ["HIT", "MISS", "STALE"]);
  await using without = await Sluice.start({ env: { RESPONSE_CACHE_TTL: "0", WORKERS: "1" } });
  const other = await without.token();
  for (let i = 0; i < 3; i++) {
    assertEquals((await see(without, "/admin", { token: other })).headers.get("x-cache-status"), "BYPASS");
  }
});

Deno.test("A page of one replica shows another replica's write at once, though it has not heard of it", async () => {
  const seldom = { POLL_INTERVAL: "3600", MAX_INTERVAL: "3600", RESPONSE_CACHE_TTL: "3600" };
  await withTwo(async (one, other, token) => {
    await one.api("POST", "/servers", { server: { id: "s", name: "round 0" } });
    for (let round = 1; round <= 4; round++) {
      await seeMany(other, "/admin/virtual-servers/s", { token });
      assertEquals((await one.api("PUT", "/servers/s", { name: `round ${round}` })).status, 200);
      for (const { text } of await seeMany(other, "/admin/virtual-servers/s", { token })) {
        assert(text.includes(`round ${round}`), text);
      }
    }
  }, seldom);
});

Deno.test("Pages, reads, metrics and scripts are compressed as the client prefers; short answers and answers to writes are not", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  for (let i = 0; i < 10; i++) await sluice.api("POST", "/servers", { server: { name: `server ${i}` } });
  const token = await sluice.token();
  const headersOf = async (path: string, acceptEncoding: string, init: RequestInit = {}) => {
    const { stdout } = await new Deno.Command("curl", {
      args: [
        ...["-s", "-o", "/dev/null", "-D", "-", "-H", `Accept-Encoding: ${acceptEncoding}`],
        ...["-H", `Cookie: sluice_session=${token}`, "-H", `Authorization: Bearer ${token}`],
        ...(path.startsWith("/admin") ? ["-H", "Accept: text/html"] : []),
        ...(init.method === "POST" ? ["-H", `Origin: ${sluice.url}`, "-d", String(init.body)] : []),
        `${sluice.url}${path}`,
      ],
    }).output();
    const lines = new TextDecoder().decode(stdout).toLowerCase().split("\r\n");
    const find = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    return [find("content-encoding"), find("vary")?.includes("accept-encoding") === true];
  };
  const { text } = await see(sluice, "/admin", { token });
  const script = /<script src="(assets\/app[^"]+)"/.exec(text)![1];
  for (
    const path of ["/admin", "/servers", "/metrics/prometheus", "/openapi.json", "/docs", `/admin/${script}`]
  ) {
    for (
      const [accepted, coding] of [
        ["gzip, deflate, br, zstd", "br"],
        ["gzip", "gzip"],
        ["br;q=0.1, gzip;q=0.2", "gzip"],
        ["br;q=0, gzip;q=0", undefined],
        ["identity", undefined],
      ] as const
    ) {
      assertEquals([path, accepted, ...await headersOf(path, accepted)], [path, accepted, coding, true]);
    }
  }
  assertEquals((await headersOf("/tools", "br"))[0], undefined);
  const form = { method: "POST", body: "name=&url=" };
  assertEquals((await headersOf("/admin/upstreams/new", "br", form))[0], undefined);
});

Deno.test("A page weighs under 150 kB as it is sent, with the style sheet and the scripts that it loads", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  const token = await sluice.token();
  const sizeOf = async (path: string, coding: string) => {
    const { stdout } = await new Deno.Command("curl", {
      args: [
        ...[
          "-s",
          "-o",
          "/dev/null",
          "-w",
          "%{http_code} %{size_download}",
          "-H",
          `Accept-Encoding: ${coding}`,
        ],
        ...[
          "-H",
          "Accept: text/html",
          "-H",
          `Cookie: sluice_session=${token}`,
          `${sluice.url}/admin/${path}`,
        ],
      ],
    }).output();
    const [status, size] = new TextDecoder().decode(stdout).split(" ").map(Number);
    assertEquals([path, status], [path, 200]);
    return size!;
  };
  const { text } = await see(sluice, "/admin", { token });
  const assets = [...text.matchAll(/(?:href|src)="(assets\/[^"]+)"/g)].map(([, path]) => path!);
  // The style sheet, htmx with its extension, and the pages' own script.
  assert(assets.length >= 3, text);
  for (const coding of ["br", "gzip"]) {
    const sizes = await Promise.all(["", ...assets].map((path) => sizeOf(path, coding)));
    const sum = sizes.reduce((sum, size) => sum + size, 0);
    assert(sum < 150_000, `${coding}: ${sum} bytes in all, ${sizes}`);
  }
});
