import { assertEquals } from "@std/assert";
import { programNameOf, type Started } from "./program_name.ts";

const FROM_SOURCE: Started = {
  standalone: false,
  execPath: "/opt/deno/bin/deno",
  mainModule: "file:///srv/sluice/src/main.ts",
  folder: "/srv/sluice",
  denoVersion: "2.9.6",
  environment: { PATH: "/nowhere" },
};

function named(given: Partial<Started>): string {
  return programNameOf({ ...FROM_SOURCE, ...given });
}

Deno.test("programNameOf() is the executable's path, or its name if the shell finds the same file", async () => {
  const folder = await Deno.makeTempDir();
  const execPath = `${folder}/sluice`;
  await Deno.writeTextFile(execPath, "");
  await Deno.mkdir(`${folder}/bin`);
  await Deno.mkdir(`${folder}/other`);
  await Deno.symlink(execPath, `${folder}/bin/sluice`);
  await Deno.writeTextFile(`${folder}/other/sluice`, "");
  const started = { standalone: true, execPath };
  const path = (PATH: string) => ({ ...started, environment: { PATH } });
  assertEquals(named(path("/nowhere:")), execPath);
  assertEquals(named(path(`/nowhere:${folder}/bin`)), "sluice");
  assertEquals(named(path(`${folder}/other:${folder}/bin`)), execPath);
  const spaced = `${folder}/it's here`;
  await Deno.writeTextFile(spaced, "");
  assertEquals(named({ standalone: true, execPath: spaced }), `'${folder}/it'\\''s here'`);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("programNameOf() from source is the task in the project's folder, and the module elsewhere", async () => {
  const bin = await Deno.makeTempDir();
  await Deno.writeTextFile(`${bin}/deno`, "");
  const task = { PATH: bin, INIT_CWD: "/srv/sluice/src" };
  assertEquals(named({ environment: task }), "deno task --quiet sluice");
  assertEquals(named({ environment: task, folder: "/home/me" }), "deno run -A /srv/sluice/src/main.ts");
  assertEquals(named({ environment: { PATH: bin } }), "deno run -A /srv/sluice/src/main.ts");
  assertEquals(named({}), "/opt/deno/bin/deno run -A /srv/sluice/src/main.ts");
  assertEquals(
    named({ environment: { ...task, npm_lifecycle_event: "npx" } }),
    "npx --yes deno@2.9.6 task --quiet sluice",
  );
  await Deno.remove(bin, { recursive: true });
});
