import { assertEquals } from "@std/assert";
import { PERMISSION_FLAGS } from "../../../scripts/permission_flags.ts";
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
  const environment = { PATH: bin };
  assertEquals(named({ environment }), "deno task --quiet sluice");
  const elsewhere = `run ${PERMISSION_FLAGS.join(" ")} /srv/sluice/src/main.ts`;
  assertEquals(named({ environment, folder: "/home/me" }), `deno ${elsewhere}`);
  assertEquals(named({ folder: "/home/me" }), `/opt/deno/bin/deno ${elsewhere}`);
  assertEquals(
    named({ environment: { ...environment, npm_lifecycle_event: "npx" } }),
    "npx --yes deno@2.9.6 task --quiet sluice",
  );
  await Deno.remove(bin, { recursive: true });
});
