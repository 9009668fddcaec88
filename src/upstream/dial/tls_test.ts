import { assertEquals } from "@std/assert";
import { alertReason, tlsReason } from "./tls.ts";

Deno.test("tlsReason() has words for what operators meet, and none for a connection that merely ended", () => {
  assertEquals(tlsReason("unexpected end of file", "a"), null);
  assertEquals(tlsReason("invalid peer certificate: Expired", "a"), "its certificate has expired");
  assertEquals(tlsReason("received fatal alert: InternalError", "a"), "received fatal alert: InternalError");
});

Deno.test("alertReason() tells a server that wants a client certificate from one that refuses the given one", () => {
  const alert = (name: string) => alertReason(`received fatal alert: ${name}`)?.split(";")[0];
  assertEquals(alert("CertificateRequired"), "it wants a client certificate");
  assertEquals(alert("HandshakeFailure"), "it refuses the handshake (HandshakeFailure)");
  // The alert is about the gateway's certificate, and not about the upstream's.
  assertEquals(alert("CertificateExpired"), "it refuses the client certificate (CertificateExpired)");
  assertEquals(alert("UnknownCA"), "it refuses the client certificate (UnknownCA)");
  assertEquals([alert("InternalError"), alertReason("connection reset by peer")], [undefined, null]);
  assertEquals(
    tlsReason("received fatal alert: UnknownCA", "a"),
    alertReason("received fatal alert: UnknownCA"),
  );
});

Deno.test("tlsReason() has the same words for Deno's reasons and for node's", () => {
  const pairs = [
    ["invalid peer certificate: UnknownIssuer", "self-signed certificate"],
    ["invalid peer certificate: UnknownIssuer", "unable to get local issuer certificate"],
    [
      "invalid peer certificate: certificate not valid for name",
      "Hostname/IP does not match certificate's altnames: Host: a. is not in the cert's altnames: DNS:b",
    ],
    ["invalid peer certificate: Expired", "certificate has expired"],
    ["invalid peer certificate: NotValidYet", "certificate is not yet valid"],
  ] as const;
  for (const [denos, nodes] of pairs) assertEquals(tlsReason(nodes, "a"), tlsReason(denos, "a"));
});
