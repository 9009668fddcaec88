import { assertEquals } from "@std/assert";
import { replicaAddress } from "./replica_address.ts";

const INTERFACES = [
  { address: "127.0.0.1", family: "IPv4" },
  { address: "fe80::1", family: "IPv6" },
  { address: "2001:db8::7", family: "IPv6" },
  { address: "10.0.0.7", family: "IPv4" },
] as const;

const at = (
  given: { host?: string; replicaAddress?: string; ssl?: boolean },
  interfaces = INTERFACES.slice(),
) =>
  replicaAddress(
    { host: "0.0.0.0", port: 4444, ssl: false, replicaAddress: null, ...given },
    () => interfaces,
  );

Deno.test("replicaAddress() is what is set, or what is listened on, or the machine's first address", () => {
  assertEquals(at({ host: "127.0.0.1" }), "http://127.0.0.1:4444");
  assertEquals(at({ host: "::1" }), "http://[::1]:4444");
  assertEquals(at({ host: "gateway.internal", ssl: true }), "https://gateway.internal:4444");
  for (const host of ["0.0.0.0", "::", "[::]"]) assertEquals(at({ host }), "http://10.0.0.7:4444");
  assertEquals(at({}, INTERFACES.slice(0, 3)), "http://[2001:db8::7]:4444");
  assertEquals(at({}, INTERFACES.slice(0, 2)), `http://${Deno.hostname()}:4444`);
  assertEquals(at({ replicaAddress: "pod-1" }), "http://pod-1:4444");
  assertEquals(at({ replicaAddress: "pod-1:80", ssl: true }), "https://pod-1:80");
  assertEquals(at({ replicaAddress: "[2001:db8::8]" }), "http://[2001:db8::8]:4444");
  assertEquals(at({ replicaAddress: "[2001:db8::8]:81" }), "http://[2001:db8::8]:81");
});
