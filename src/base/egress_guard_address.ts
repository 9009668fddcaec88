// IP addresses and networks as numbers, and what kind of address each one is.

/** An address as a number; zone ids are dropped. */
export interface IpAddress {
  readonly version: 4 | 6;
  readonly bits: bigint;
}

export interface IpNetwork {
  readonly version: 4 | 6;
  /** As written. */
  readonly text: string;
  contains(address: IpAddress): boolean;
}

/** What an address is for; everything but `public` needs permission, and from `link-local` on there is none. */
export type AddressClass =
  | "public"
  | "loopback"
  | "private"
  | "shared"
  | "reserved"
  | "link-local"
  | "metadata"
  | "multicast"
  | "broadcast"
  | "unspecified";

/** Reads "10.0.0.1", "::1", "[::1]", "fe80::1%eth0", "::ffff:10.0.0.1"; null for anything else, host names included. */
export function parseAddress(text: string): IpAddress | null {
  const bare = text.replace(/^\[(.*)\]$/, "$1").replace(/%.*$/, "");
  const bits = bare.includes(":") ? ipv6Bits(bare) : ipv4Bits(bare);
  return bits === null ? null : { version: bare.includes(":") ? 6 : 4, bits };
}

/** Reads "10.0.0.0/8", "fc00::/7" and single addresses; null for anything else. Bits beyond the prefix are ignored. */
export function parseNetwork(text: string): IpNetwork | null {
  const [, base, prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text.trim()) ?? [];
  const address = base === undefined ? null : parseAddress(base);
  if (address === null) return null;
  const width = address.version === 4 ? 32 : 128;
  const length = prefix === undefined ? width : Number(prefix);
  if (length > width) return null;
  const shift = BigInt(width - length);
  const head = address.bits >> shift;
  return {
    version: address.version,
    text,
    contains: ({ version, bits }) => version === address.version && bits >> shift === head,
  };
}

/** The IPv4 address that an IPv6 address stands for, by mapping, translation (NAT64) or tunnel (6to4); null for none. */
export function embeddedIpv4({ version, bits }: IpAddress): IpAddress | null {
  if (version === 4) return null;
  const ipv4 = (at: bigint): IpAddress => ({ version: 4, bits: (bits >> at) & 0xffff_ffffn });
  if (bits >> 112n === 0x2002n) return ipv4(80n);
  const head = bits >> 32n;
  if (head === 0xffffn || head === 0xffff_0000n || head === NAT64_PREFIX) return ipv4(0n);
  // IPv4-compatible (RFC 4291, 2.5.5.1), of which :: and ::1 are none.
  return head === 0n && bits > 1n ? ipv4(0n) : null;
}

/** An IPv6 address that stands for an IPv4 address is classified as that one. */
export function classify(address: IpAddress): AddressClass {
  const ipv4 = address.version === 4 ? address : embeddedIpv4(address);
  const known = CLASSES.find(([, networks]) =>
    networks.some((network) => network.contains(address) || (ipv4 !== null && network.contains(ipv4)))
  );
  if (known !== undefined) return known[0];
  if (ipv4 !== null) return "public";
  return GLOBAL_UNICAST.contains(address) ? "public" : "reserved";
}

const NAT64_PREFIX = 0x64_ff9b_0000_0000_0000_0000n;

const GLOBAL_UNICAST = parseNetwork("2000::/3")!;

/** IANA's special-purpose registries; the first class that holds an address is its class. */
const CLASSES: ReadonlyArray<readonly [AddressClass, readonly IpNetwork[]]> = [
  networks(
    "metadata",
    "169.254.169.254", // AWS, Azure, Google Cloud and most others
    "169.254.170.2", // AWS container credentials
    "168.63.129.16", // Azure's wire server
    "100.100.100.200", // Alibaba Cloud
    "192.0.0.192", // Oracle Cloud
    "fd00:ec2::254", // AWS
    "fd20:ce::254", // Google Cloud
  ),
  networks("link-local", "169.254.0.0/16", "fe80::/10"),
  networks("broadcast", "255.255.255.255"),
  networks("multicast", "224.0.0.0/4", "ff00::/8"),
  networks("unspecified", "0.0.0.0/8", "::/128"),
  networks("loopback", "127.0.0.0/8", "::1"),
  networks("shared", "100.64.0.0/10"),
  networks(
    "private",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "fc00::/7",
    "fec0::/10",
    "64:ff9b:1::/48",
  ),
  networks(
    "reserved",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
  ),
];

function networks(name: AddressClass, ...texts: string[]): readonly [AddressClass, readonly IpNetwork[]] {
  return [name, texts.map((text) => parseNetwork(text)!)];
}

function ipv4Bits(text: string): bigint | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  let bits = 0n;
  for (const part of parts) {
    // A leading zero means octal to some and decimal to others: refuse to guess.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    bits = (bits << 8n) | BigInt(part);
  }
  return bits;
}

function ipv6Bits(text: string): bigint | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half, index) => groups(half, index === halves.length - 1));
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  const all = [...head, ...Array<bigint>(missing).fill(0n), ...(tail ?? [])];
  return all.reduce((bits, group) => (bits << 16n) | group, 0n);
}

/** The 16-bit groups of one side of "::"; the last side may end in a dotted IPv4 address. */
function groups(half: string, isLast: boolean): bigint[] | null {
  if (half === "") return [];
  const parts = half.split(":");
  const values: bigint[] = [];
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) values.push(BigInt(`0x${part}`));
    else {
      const ipv4 = isLast && index === parts.length - 1 ? ipv4Bits(part) : null;
      if (ipv4 === null) return null;
      values.push(ipv4 >> 16n, ipv4 & 0xffffn);
    }
  }
  return values;
}
