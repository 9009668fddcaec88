import { assertEquals, assertRejects } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { expiryWarning, readKeyPair } from "./certificate.ts";

const DAY_MS = 86_400_000;
const EXPIRES_AT = Date.parse("2030-03-01T00:00:00Z");
const warningAt = (now: number) => expiryWarning({ cert: "", key: "", expiresAt: EXPIRES_AT }, now);

Deno.test("expiryWarning() says when a certificate has ended, or is about to", () => {
  assertEquals(warningAt(EXPIRES_AT - 15 * DAY_MS), null);
  assertEquals(
    warningAt(EXPIRES_AT - 13 * DAY_MS),
    "the certificate in CERT_FILE expires on 2030-03-01",
  );
  assertEquals(
    warningAt(EXPIRES_AT + 1),
    "the certificate in CERT_FILE has expired on 2030-03-01: clients will refuse it",
  );
});

Deno.test("readKeyPair() asks for both files", async () => {
  for (const files of [{ certFile: "c.pem", keyFile: null }, { certFile: null, keyFile: "k.pem" }]) {
    const error = await assertRejects(
      () => readKeyPair({ ...files, keyFilePassword: null }),
      SluiceError,
    );
    assertEquals([error.code, error.message], [
      "SETTINGS_INVALID",
      "SSL=true needs CERT_FILE and KEY_FILE. Set both, or set SSL=false",
    ]);
  }
});
