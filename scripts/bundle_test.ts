import { assertEquals } from "@std/assert";
import { bundle } from "./bundle.ts";

Deno.test("bundle() keeps the names of packages that are imported on use, the older kind's too", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await bundle(folder);
    const moduleOf = async (name: string) => {
      const file = [...Deno.readDirSync(folder)].find((file) => file.name.startsWith(`${name}-`))!.name;
      return await import(`file://${folder}/${file}`);
    };
    assertEquals(typeof (await moduleOf("nodemailer")).createTransport, "function");
    assertEquals(typeof (await moduleOf("hash-wasm")).argon2id, "function");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
