import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { createSecretBox } from "../../store/secret_box.ts";
import { PendingLogins } from "./pending_login.ts";

const login = (state: string) => ({
  ...{ state, nonce: "n", verifier: "v", redirectUri: "https://g/cb", next: "/", wantsToken: false },
});

Deno.test("PendingLogins keep a sign-in in the browser that started it, for one provider and one time", async () => {
  const clock = new FakeClock();
  const secretBox = await createSecretBox("secret ".repeat(8));
  const pending = new PendingLogins({ secretBox, clock, timeoutMs: 60_000 });
  const browser = new Map<string, string>();
  const [cookie, ...others] = await pending.begin("main", login("state-of-this-sign-in"), browser);
  assertEquals([cookie.name, cookie.maxAgeS, others], ["sluice_sso_state-of-this-si", 60, []]);
  assertEquals(["verifier", '"v"', "state"].filter((word) => cookie.value.includes(word)), []);
  browser.set(cookie.name, cookie.value);
  const find = (provider: string, state: string | null, cookies = browser) =>
    pending.find(provider, state, cookies);
  assertEquals((await find("main", "state-of-this-sign-in")).verifier, "v");
  const refused = async (run: () => Promise<unknown>) =>
    (await assertRejects(run, SluiceError)).code === "SSO_START_AGAIN";
  assertEquals([
    await refused(() => find("main", null)),
    await refused(() => find("main", "state-of-another-one")),
    await refused(() => find("main", "state-of-this-sign-in", new Map())),
    await refused(() => find("other", "state-of-this-sign-in")),
    // The cookie has the beginning of the state in its name, and all of it inside.
    await refused(() => find("main", "state-of-this-sign-up")),
    await refused(() => find("main", "state-of-this-sign-in", new Map([[cookie.name, `${cookie.value}x`]]))),
  ], Array(6).fill(true));
  await clock.tick(60_000);
  assertEquals(await refused(() => find("main", "state-of-this-sign-in")), true);
});

Deno.test("PendingLogins of one browser are few", async () => {
  const pending = new PendingLogins({
    secretBox: await createSecretBox("secret ".repeat(8)),
    clock: new FakeClock(),
    timeoutMs: 60_000,
  });
  const browser = new Map([["sluice_session", "of the pages"]]);
  for (let i = 0; i < 5; i++) {
    for (const { name, value } of await pending.begin("main", login(`state-${i}`), browser)) {
      browser.set(name, value);
    }
  }
  const [own, ...forgotten] = await pending.begin("main", login("state-5"), browser);
  assertEquals(own.value === "", false);
  assertEquals(
    forgotten.map(({ name, maxAgeS }) => `${name} ${maxAgeS}`),
    [0, 1, 2, 3, 4].map((i) => `sluice_sso_state-${i} 0`),
  );
});
