import { assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { SluiceError } from "../base/errors.ts";
import { createSecretBox } from "./secret_box.ts";

Deno.test("SecretBox.open() gives back what was sealed, each time in another form", async () => {
  const box = await createSecretBox("a secret");
  const sealed = await box.seal("pässword", "gateway:1");
  assertMatch(sealed, /^v1\.[\w-]{16}\.[\w-]+$/);
  assertNotEquals(sealed, await box.seal("pässword", "gateway:1"));
  assertEquals(await (await createSecretBox("a secret")).open(sealed, "gateway:1"), "pässword");
});

Deno.test("SecretBox.open() refuses another secret, another owner and damage, in words without the secret", async () => {
  const box = await createSecretBox("a secret");
  const sealed = await box.seal("password", "gateway:1");
  const other = await createSecretBox("another");
  const attempts = [
    () => other.open(sealed, "gateway:1"),
    () => box.open(sealed, "gateway:2"),
    () => box.open(sealed.slice(0, -2), "gateway:1"),
    () => box.open("v2" + sealed.slice(2), "gateway:1"),
    () => box.open("password", "gateway:1"),
    () => box.open("", "gateway:1"),
  ];
  for (const attempt of attempts) {
    const error = await assertRejects(attempt, SluiceError, "AUTH_ENCRYPTION_SECRET");
    assertEquals(error.code, "SECRET_UNREADABLE");
  }
});
