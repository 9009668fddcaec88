// A hundred people, each with a login of their own at one upstream, call through two replicas of two workers while their access tokens
// expire.
import { assert, assertEquals } from "@std/assert";
import { SERVERS_MISSING } from "../support/cluster_servers.ts";
import { ManyLogins } from "../support/many_logins.ts";
import { sharedServers } from "../support/shared_servers.ts";
import { waitFor } from "../support/wait_for.ts";

const PEOPLE = 100;
const LIFE_S = 4;

Deno.test({
  name:
    "A hundred people call with logins of their own while tokens expire and replicas end: nobody meets another's token",
  ignore: SERVERS_MISSING,
  fn: async (t) => {
    const began = Date.now();
    await using logins = await ManyLogins.start(await sharedServers(), {
      ...{ people: PEOPLE, accessTokenS: LIFE_S, pauseMs: 400 },
    });
    const { provider, upstream } = logins;
    logins.begin();

    await t.step("a token is renewed once, whichever worker needs it", async () => {
      await logins.renewed(2);
      await logins.end();
      const asked = async () => [...(await logins.renewals()).values()].flat().length;
      await waitFor(async () => await logins.counted("success") === await asked(), {
        what: "the renewals that all workers have counted",
      });
      assertEquals([await logins.counted("failed"), await logins.counted("lost")], [0, 0]);
      logins.begin();
    });

    await t.step("a replica that ends waits for the renewals that it has begun", async () => {
      await provider.hold();
      await waitFor(async () => (await provider.grants()).held >= PEOPLE / 4, { what: "renewals under way" });
      const [one] = logins.replicas;
      const others = logins.openOnly(1);
      const stopped = one!.stop();
      const isStopping = () => one!.log().some(({ event }) => event === "stopping");
      await waitFor(isStopping, { what: "the end of the replica to begin" });
      await provider.letGo();
      assertEquals(await stopped, 0);
      await others;
      await logins.startAgain(0);
      await logins.openOnly(0, 1);
    });

    await t.step("a replica that is killed takes no login with it", async () => {
      // The answer to a renewal would be lost with the replica, so that those under way end first. One that has only begun finds the
      // token of the other replica.
      await logins.openOnly(0);
      await logins.renewed(1);
      const before = await logins.claims();
      await waitFor(async () => {
        const now = new Set(await logins.claims());
        return before.every((claim) => !now.has(claim));
      }, { what: "the renewals of the replica to end" });
      await logins.replicas[1]!.kill();
      await logins.renewed(1);
      await logins.startAgain(1);
      await logins.openOnly(0, 1);
      await logins.renewed(1);
    });

    await logins.end();
    assertEquals([logins.wrong, upstream.faults], [[], []]);
    const renewals = await logins.renewals();
    const all = [...renewals.values()].flat();
    assertEquals(all.filter(({ error }) => error !== null), []);
    assertEquals(new Set(all.map(({ refreshToken }) => refreshToken)).size, all.length);
    // No token is renewed before half of its life, and none is used after its end.
    const lives = (Date.now() - began) / 1000 / LIFE_S;
    for (const [name, { length }] of renewals) {
      assert(
        length >= 5 && length <= 2 * lives + 1,
        `${name}: ${length} renewals in ${lives} lives of a token`,
      );
    }
    assertEquals(await logins.states(), Array(PEOPLE).fill("connected"));
  },
});
