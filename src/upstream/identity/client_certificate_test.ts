import { assertEquals, assertThrows } from "@std/assert";
import { makeAuthority } from "../../../tests/support/client_authority.ts";
import { CertificateFault, checkedCertificate } from "./client_certificate.ts";

Deno.test("a pair of certificate and key says what is wrong with it, and not what is in it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const authority = await makeAuthority(folder, "authority");
    const [one, other] = [await authority.issue("one"), await authority.issue("other")];
    const now = Date.now();
    const fault = (pair: { cert: string; key: string }, at = now) => {
      const { part, message } = assertThrows(() => checkedCertificate(pair, at), CertificateFault);
      return `${part} ${message.replace(/\d{4}-.*/, "DATE")}`;
    };
    assertEquals(checkedCertificate(one, now).id, checkedCertificate({ ...one }, now).id);
    assertEquals(fault({ cert: one.cert, key: other.key }), "client_key does not belong to client_cert");
    assertEquals(fault({ ...one, cert: one.key }), "client_cert is no certificate in PEM");
    assertEquals(fault({ ...one, key: one.cert }), "client_key is no private key in PEM");
    const locked = one.key.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assertEquals(fault({ ...one, key: locked }).startsWith("client_key is encrypted"), true);
    const days = 86_400_000;
    assertEquals(fault(one, now + 31 * days), "client_cert has expired on DATE");
    assertEquals(fault(one, now - 2 * days), "client_cert is not valid before DATE");
    assertEquals(checkedCertificate(one, now).id === checkedCertificate(other, now).id, false);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
