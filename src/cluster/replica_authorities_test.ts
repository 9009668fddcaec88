import { assertEquals, assertRejects } from "@std/assert";
import { SluiceError } from "../base/errors.ts";
import { readAuthorities } from "./replica_authorities.ts";

const BROKEN = "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n";

Deno.test("readAuthorities() says what is wrong with a file", async () => {
  const path = await Deno.makeTempFile();
  const messageFor = async (text: string) => {
    await Deno.writeTextFile(path, text);
    const { code, message } = await assertRejects(() => readAuthorities(path), SluiceError);
    return [code, message];
  };
  assertEquals(await messageFor("no PEM"), [
    "SETTINGS_INVALID",
    `REPLICA_SSL_CA_CERTS: ${path} holds no PEM certificate`,
  ]);
  assertEquals(await messageFor(BROKEN), [
    "SETTINGS_INVALID",
    `REPLICA_SSL_CA_CERTS: ${path}: certificate 1 cannot be read`,
  ]);
  await Deno.remove(path);
  const { message } = await assertRejects(() => readAuthorities(path), SluiceError);
  assertEquals(
    message.startsWith(`REPLICA_SSL_CA_CERTS: ${path} cannot be read: there is no such file`),
    true,
  );
});
