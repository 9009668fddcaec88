import { assertEquals } from "@std/assert";

interface Lock {
  readonly packages: Readonly<Record<string, { readonly resolved?: string; readonly integrity?: string }>>;
}

for (const folder of ["programs", "programs/published"]) {
  Deno.test(`The lock file of tests/${folder} has a hash and the public registry's address for every package`, async () => {
    const lock: Lock = JSON.parse(
      await Deno.readTextFile(new URL(`../${folder}/package-lock.json`, import.meta.url)),
    );
    const packages = Object.entries(lock.packages).filter(([path]) => path !== "");
    const faults = packages.filter(([, { resolved, integrity }]) =>
      integrity === undefined || resolved?.startsWith("https://registry.npmjs.org/") !== true
    );
    assertEquals(faults.map(([path]) => path), []);
    assertEquals(packages.length > 300, true);
  });
}
