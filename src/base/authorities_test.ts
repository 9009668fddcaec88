import { assertEquals, assertThrows } from "@std/assert";
import { readAuthorities } from "./authorities.ts";
import { SluiceError } from "./errors.ts";

const BROKEN = "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n";

Deno.test("readAuthorities() says what is wrong with a file", async () => {
  const path = await Deno.makeTempFile();
  const failure = () => assertThrows(() => readAuthorities("A_SETTING", path), SluiceError);
  for (
    const [text, message] of [
      ["no PEM", `A_SETTING: ${path} holds no PEM certificate`],
      [BROKEN, `A_SETTING: ${path}: certificate 1 cannot be read`],
    ] as const
  ) {
    await Deno.writeTextFile(path, text);
    assertEquals([failure().code, failure().message], ["SETTINGS_INVALID", message]);
  }
  await Deno.remove(path);
  assertEquals(
    failure().message.startsWith(`A_SETTING: ${path} cannot be read: there is no such file`),
    true,
  );
});
