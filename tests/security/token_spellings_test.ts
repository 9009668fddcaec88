// One token is one caller, however its header is spelled and whenever it becomes valid.
import { assertEquals } from "@std/assert";
import { paced } from "../support/pace.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test("A token is accepted in every spelling that HTTP allows, and refused where it is too long", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  const token = await sluice.token();
  const status = async (authorization: string) => {
    const answer = await fetch(`${sluice.url}/tools`, { headers: { authorization } });
    await answer.body?.cancel();
    return answer.status;
  };
  for (const header of [`Bearer ${token}`, `bearer ${token}`, `BEARER${" ".repeat(2_000)}${token}`]) {
    assertEquals([header.slice(0, 10), await status(header)], [header.slice(0, 10), 200]);
  }
  const padded = await sluice.token({ claims: { padding: "x".repeat(8_192) } });
  for (const header of [`Bearer ${padded}`, token, `Basic ${token}`, `Bearer ${token} ${token}`]) {
    assertEquals([header.slice(0, 10), await status(header)], [header.slice(0, 10), 401]);
  }
});

Deno.test("Where no token is required, a token counts from the moment at which it becomes valid", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "2", AUTH_REQUIRED: "false" } });
  const nbf = Math.floor((Date.now() + await paced(4_000)) / 1000);
  const token = await sluice.token({ claims: { nbf } });
  const status = async () => (await sluice.api("GET", "/tokens/revoked", undefined, token)).status;
  // Anonymous callers are no administrators.
  for (let i = 0; i < 6; i++) assertEquals(await status(), 403);
  await waitFor(async () => {
    for (let i = 0; i < 6; i++) if (await status() !== 200) return false;
    return true;
  }, { what: "the token to be valid at both workers" });
});
