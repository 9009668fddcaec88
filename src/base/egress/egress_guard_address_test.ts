import { assertEquals } from "@std/assert";
import { type AddressClass, classify, parseAddress, parseNetwork } from "./egress_guard_address.ts";

const CLASS_OF: Readonly<Record<AddressClass, readonly string[]>> = {
  "public": [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
  ],
  "loopback": [
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    "[::1]",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "::FFFF:7f00:1",
    "0:0:0:0:0:ffff:127.0.0.1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
  ],
  "private": [
    "10.0.0.0",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "198.18.0.1",
    "fc00::1",
    "fdff:ffff::1",
    "fec0::1",
    "::ffff:10.0.0.1",
    "64:ff9b:1::1",
    "2002:a00:1::1",
  ],
  "shared": ["100.64.0.0", "100.127.255.255", "::ffff:100.64.0.1"],
  "reserved": [
    "192.0.0.1",
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.255",
    "240.0.0.1",
    "255.255.255.254",
    "2001::1",
    "2001:db8::1",
    "100::1",
    "4000::1",
  ],
  "link-local": [
    "169.254.0.1",
    "169.254.255.255",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "::ffff:169.254.1.1",
  ],
  "metadata": [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
  ],
  "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1"],
  "broadcast": ["255.255.255.255"],
  "unspecified": ["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"],
};

for (const [name, addresses] of Object.entries(CLASS_OF)) {
  Deno.test(`classify() ${name}`, () => {
    for (const text of addresses) {
      const address = parseAddress(text);
      assertEquals([text, address && classify(address)], [text, name]);
    }
  });
}

Deno.test("parseAddress() gives null for whatever is not exactly an address", () => {
  const texts = [
    "",
    "localhost",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "0x7f.0.0.1",
    "2130706433",
    "1.2.3.4 ",
    "::1::",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8:9",
    "12345::",
    "g::1",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "::1.2.3",
  ];
  for (const text of texts) assertEquals([text, parseAddress(text)], [text, null]);
});

Deno.test("parseNetwork() contains exactly the addresses under its prefix", () => {
  const rows: Array<[network: string, inside: string[], outside: string[]]> = [
    ["10.20.0.0/16", ["10.20.0.0", "10.20.255.255"], ["10.19.255.255", "10.21.0.0", "::a14:1"]],
    ["10.20.30.40/16", ["10.20.0.0"], ["10.21.0.0"]],
    ["192.0.2.7", ["192.0.2.7"], ["192.0.2.8"]],
    ["0.0.0.0/0", ["1.2.3.4"], ["::1"]],
    ["fd00::/8", ["fdff::1"], ["fc00::1", "253.0.0.1"]],
    ["::/0", ["::1", "ffff::"], ["1.2.3.4"]],
  ];
  for (const [text, inside, outside] of rows) {
    const network = parseNetwork(text)!;
    for (const ip of inside) assertEquals([text, ip, network.contains(parseAddress(ip)!)], [text, ip, true]);
    for (const ip of outside) {
      assertEquals([text, ip, network.contains(parseAddress(ip)!)], [text, ip, false]);
    }
  }
});

Deno.test("parseNetwork() gives null for whatever is not a network", () => {
  for (
    const text of [
      "",
      "/8",
      "10.0.0.0/33",
      "::/129",
      "10.0.0.0/",
      "10.0.0.0/-1",
      "10.0.0.0/8/8",
      "example.com",
    ]
  ) {
    assertEquals([text, parseNetwork(text)], [text, null]);
  }
});
