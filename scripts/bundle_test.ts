import { assertEquals } from "@std/assert";
import { bundle } from "./bundle.ts";

Deno.test("bundle() keeps the names of a package of the older kind that is imported on use", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await bundle(folder);
    const file = [...Deno.readDirSync(folder)].find(({ name }) => name.startsWith("nodemailer-"))!.name;
    const { createTransport } = await import(`file://${folder}/${file}`);
    assertEquals(typeof createTransport, "function");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
