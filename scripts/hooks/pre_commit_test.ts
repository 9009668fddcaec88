import { assertEquals } from "@std/assert";

const HOOK = new URL("./pre-commit", import.meta.url).pathname;

/** Puts the pieces together here, so that this file does not look like a leak itself. */
const SECRETS: Readonly<Record<string, string>> = {
  "a private key": ["-----BEGIN RSA", "PRIVATE KEY-----"].join(" "),
  "a plain private key": ["-----BEGIN", "PRIVATE KEY-----"].join(" "),
  "a JWT": ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiJhQGIuYyJ9", "c2lnbmF0dXJlLXNpZ25hdHVyZQ"].join("."),
  "an AWS key": `AKIA${"ABCDEFGH12345678"}`,
  "a GitHub token": `ghp_${"a1".repeat(18)}`,
};

async function run(folder: string, command: string, ...args: string[]) {
  const { code, stderr } = await new Deno.Command(command, {
    args,
    cwd: folder,
    env: { PATH: `${folder}/bin:${Deno.env.get("PATH")}`, GIT_CONFIG_GLOBAL: "/dev/null" },
    stdout: "null",
    stderr: "piped",
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

/** The hook's verdict on a commit of `files` in a new repository where every `deno` command ends with `denoCode`. */
async function commitOf(files: Readonly<Record<string, string>>, denoCode = 0) {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/bin`);
    await Deno.writeTextFile(`${folder}/bin/deno`, `#!/bin/sh\nexit ${denoCode}\n`, { mode: 0o755 });
    await run(folder, "git", "init", "-q");
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, text);
    await run(folder, "git", "add", ...Object.keys(files));
    return await run(folder, HOOK);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const [name, secret] of Object.entries(SECRETS)) {
  Deno.test(`pre-commit refuses ${name}, and names the file without the secret`, async () => {
    const { code, stderr } = await commitOf({ "a b.ts": `const x = "${secret}";\n`, "clean.ts": "1;\n" });
    assertEquals([code, stderr.includes("  a b.ts\n")], [1, true]);
    assertEquals([stderr.includes("clean.ts"), stderr.includes(secret)], [false, false]);
  });
}

Deno.test("pre-commit lets clean files pass", async () => {
  const { code, stderr } = await commitOf({ "a.ts": 'const word = "eyJ";\n', "b.md": "BEGIN PRIVATE KEY\n" });
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("pre-commit fails where a gate fails", async () => {
  assertEquals((await commitOf({ "a.ts": "1;\n" }, 1)).code, 1);
});
