// Settings of replicas: processes that share one database.

import { kind, seconds, setting, text } from "./setting.ts";

const ADDRESS = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/;

export const REPLICA_SETTINGS = [
  setting({
    name: "REPLICA_ADDRESS",
    kind: kind(
      null,
      "host, host:port or [IPv6 address]:port",
      // URL.canParse refuses 10.0.0.256 and ports above 65535, which would fail at the other replicas.
      (given) =>
        ADDRESS.test(given) && !/:0+$/.test(given) && URL.canParse(`http://${given}`) ? given : undefined,
    ),
    default: null,
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "The address at which other replicas reach this process directly, without a load balancer. Not " +
      "set: HOST and PORT; if HOST is every address, the machine's first address that is not loopback.",
  }),
  setting({
    name: "REPLICA_TTL",
    kind: seconds({ min: 1, max: 300 }),
    default: "10",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc: "Time without a sign of life after which a replica counts as dead. Other replicas then take over " +
      "its sessions on demand. All replicas need the same value.",
  }),
  setting({
    name: "REPLICA_SSL_CA_CERTS",
    kind: text("a file name", /./),
    default: null,
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "With SSL, the PEM file of certificate authorities to trust for other replicas, in addition to " +
      "Deno's public ones. A replica connects only to replicas with a trusted certificate for their " +
      "address.",
  }),
] as const;
