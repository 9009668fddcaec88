// IP addresses and networks as numbers, and their classification.

/** An address as a number. Zone ids are dropped. */
export interface IpAddress {
  readonly version: 4 | 6;
  readonly bits: bigint;
}

export interface IpNetwork {
  readonly version: 4 | 6;
  /** The network as it was written. */
  readonly text: string;
  contains(address: IpAddress): boolean;
}

/** The purpose of an address. All but `public` need a permission; there is no permission for `link-local` and those after it. */
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

/** Reads "10.0.0.1", "::1", "[::1]", "fe80::1%eth0", "::ffff:10.0.0.1". @returns null for any other text, such as a host name */
export function parseAddress(text: string): IpAddress | null {
  const bare = text.replace(/^\[(.*)\]$/, "$1").replace(/%.*$/, "");
  const bits = bare.includes(":") ? ipv6Bits(bare) : ipv4Bits(bare);
  return bits === null ? null : { version: bare.includes(":") ? 6 : 4, bits };
}

/** Reads "10.0.0.0/8", "fc00::/7" and single addresses. Bits beyond the prefix are ignored. @returns null for any other text */
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

/** The IPv4 address within an IPv6 address: mapped, translated (NAT64) or tunnelled (6to4). @returns null if there is none */
export function embeddedIpv4({ version, bits }: IpAddress): IpAddress | null {
  if (version === 4) return null;
  const ipv4 = (at: bigint): IpAddress => ({ version: 4, bits: (bits >> at) & 0xffff_ffffn });
  if (bits >> 112n === 0x2002n) return ipv4(80n);
  const head = bits >> 32n;
  if (head === 0xffffn || head === 0xffff_0000n || head === NAT64_PREFIX) return ipv4(0n);
  // IPv4-compatible addresses (RFC 4291, 2.5.5.1). The addresses :: and ::1 are not among them.
  return head === 0n && bits > 1n ? ipv4(0n) : null;
}

/** Classifies an address. An IPv6 address that contains an IPv4 address is classified as that one. */
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

/** IANA's registries of special-purpose addresses. The first class that contains an address is its class. */
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
    // Some parsers read a leading zero as octal, others as decimal. Such an address is refused.
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

/** The 16-bit groups on one side of "::". The last side may end in an IPv4 address with dots. */
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
