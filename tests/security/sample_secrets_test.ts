// Secrets that everybody knows or can guess: whoever has one mints administrators.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { runCli } from "../support/cli.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

/** From ContextForge's quick start. */
const PUBLISHED = "my-test-key-but-now-longer-than-32-bytes";
const GUESSABLE = "correct horse battery staple correct horse";
const RANDOM = crypto.randomUUID();
const CLUSTERS: readonly Record<string, string>[] = [
  { CACHE_TYPE: "redis" },
  { DATABASE_URL: "postgresql://u:p@127.0.0.1:1/db" },
];
const HOW_TO = "make one by: openssl rand -base64 48";

async function failedStart(env: Readonly<Record<string, string>>): Promise<string> {
  await using sluice = await Sluice.spawn({ env });
  assertEquals(await sluice.exit(), 2);
  return sluice.stdout.tail() + sluice.stderr.tail();
}

for (const name of ["JWT_SECRET_KEY", "AUTH_ENCRYPTION_SECRET"]) {
  Deno.test(`serve refuses a published sample as ${name}, and does not repeat it`, async () => {
    const text = await failedStart({ JWT_SECRET_KEY: RANDOM, [name]: PUBLISHED });
    assertStringIncludes(text, `${name}=**** (environment): is a published sample`);
    assertStringIncludes(text, HOW_TO);
    assertEquals(text.includes(PUBLISHED), false);
  });

  Deno.test(`serve warns of a ${name} that can be guessed, and refuses it in a cluster`, async () => {
    const words = `${name}=**** (environment): can be guessed`;
    const env = { WORKERS: "1", LOG_LEVEL: "ERROR", JWT_SECRET_KEY: RANDOM, [name]: GUESSABLE };
    await using sluice = await Sluice.start({ env });
    // With this LOG_LEVEL no line tells that the start is over.
    const warnings = await waitFor(
      () => sluice.log().map(({ warning }) => String(warning)).filter((text) => text.startsWith(words)),
      { what: "the warning" },
    );
    assertEquals([warnings.length, warnings[0]?.includes(HOW_TO)], [1, true]);
    // Both are refused before anything is connected.
    for (const cluster of CLUSTERS) {
      const text = await failedStart({
        ...env,
        AUTH_ENCRYPTION_SECRET: RANDOM,
        ...cluster,
        [name]: GUESSABLE,
      });
      assertStringIncludes(text, words);
      assertStringIncludes(text, HOW_TO);
    }
  });
}

Deno.test("sluice token mints nothing with a published sample", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    const { code, out, err } = await runCli(["token"], { cwd, env: { JWT_SECRET_KEY: PUBLISHED } });
    assertEquals([code, out], [2, ""]);
    assertStringIncludes(err, "is a published sample");
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test("A secrets file with a published sample is refused", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    const secrets = `JWT_SECRET_KEY=${PUBLISHED}\nAUTH_ENCRYPTION_SECRET=${RANDOM}\n`;
    await Deno.writeTextFile(`${cwd}/mcp.db.secrets`, secrets, { mode: 0o600 });
    await using sluice = await Sluice.spawn({ cwd, env: { JWT_SECRET_KEY: "" } });
    assertEquals(await sluice.exit(), 1);
    assertStringIncludes(sluice.stderr.tail(), "it has no JWT_SECRET_KEY that can be used");
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
