// Settings of a process among others that share its database and its cache.

import { kind, seconds, setting, text } from "./setting.ts";

const ADDRESS = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/;

export const REPLICA_SETTINGS = [
  setting({
    name: "REPLICA_ADDRESS",
    kind: kind(
      null,
      "host, host:port or [IPv6 address]:port",
      // What is no URL, as 10.0.0.256 or a port above 65535, would fail at the other replicas.
      (given) =>
        ADDRESS.test(given) && !/:0+$/.test(given) && URL.canParse(`http://${given}`) ? given : undefined,
    ),
    default: null,
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "Where the other replicas reach this process, past any load balancer; not set: HOST and PORT, and where HOST is " +
      "every address, the machine's first one that is not loopback.",
  }),
  setting({
    name: "REPLICA_TTL",
    kind: seconds({ min: 1, max: 300 }),
    default: "10",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "A replica that has not been heard of for so long is gone: the others take over its sessions when they are asked " +
      "for them. Every replica needs the same.",
  }),
  setting({
    name: "REPLICA_SSL_CA_CERTS",
    kind: text("a file name", /./),
    default: null,
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "With SSL, the PEM file of the authorities that may vouch for the other replicas, beside the public ones that Deno " +
      "knows. Replicas whose certificate nobody there has signed, or for another name than their address, are not spoken to.",
  }),
] as const;
