// Settings of registering upstreams.

import { bytes, int, list, oneOf, seconds, setting, text } from "./setting.ts";

export const REGISTRATION_SETTINGS = [
  setting({
    name: "MCP_CONFIG",
    kind: text("the path of a file", /\S/),
    default: null,
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "Configuration file of an MCP client, for `sluice serve`. The gateway registers its servers and follows its changes. " +
      "It may start the commands of this file without STDIO_ENABLED; other registrations need that.",
  }),
  setting({
    name: "REGISTRATION_VARIABLES",
    kind: list("names of environment variables", (item) => /^[A-Za-z_]\w*$/.test(item) ? item : undefined),
    default: "",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc:
      "Variables of the gateway's environment that registrations and imports may use as `${NAME}` in credentials and " +
      "`env`. Whoever may register an upstream can read these variables.",
  }),
  setting({
    name: "SECRETS_DIRECTORY",
    kind: text("the absolute path of a directory", /^\//),
    default: null,
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "Directory with files that administrators may use as `${file:NAME}` in the credentials of upstreams. SIGHUP reads them " +
      "again, and so does an upstream's 401.",
  }),
  setting({
    name: "SECRET_COMMAND",
    kind: text("the absolute path of a program", /^\//),
    default: null,
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "Program that prints the secret whose name is its argument. Administrators may use it as `${secret:NAME}` in the " +
      "credentials of upstreams.",
  }),
  setting({
    name: "SECRET_COMMAND_TIMEOUT",
    kind: seconds({ min: 1, max: 300 }),
    default: "10",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "Time that SECRET_COMMAND has to print a secret.",
  }),
  setting({
    name: "SECRET_COMMAND_TTL",
    kind: seconds({ min: 1, max: 86_400 }),
    default: "300",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc:
      "Time for which a worker keeps a secret that SECRET_COMMAND has printed. SIGHUP and an upstream's 401 end it earlier.",
  }),
  setting({
    name: "REGISTRATION_MAX_TRIES",
    kind: int({ min: 1, max: 1_000 }),
    default: "12",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc:
      "Tries to list an upstream that was registered with `?wait=false`, before the gateway gives up. The pauses between " +
      "them grow from 5 s to 10 min.",
  }),
  setting({
    name: "TOOL_APPROVAL",
    kind: oneOf(["off", "changed", "all"]),
    default: "off",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "Which changes of an upstream wait for an approval, where its registration does not say so (`tool_approval`). `changed`: tools, " +
      "prompts, resources, templates and instructions that it adds or changes after its first lists. `all`: those of its first lists too.",
  }),
  setting({
    name: "MAX_HELD_CHANGES",
    kind: int({ min: 1, max: 100_000 }),
    default: "1000",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "Changes of one upstream that may wait for an approval at once. Further ones are not offered, and wait for a place among them.",
  }),
  setting({
    name: "MAX_HELD_BYTES",
    kind: bytes({ min: 1024, max: 1_073_741_824 }),
    default: "4194304",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "Largest total of the texts of one upstream that may wait for an approval, as MAX_HELD_CHANGES counts them.",
  }),
] as const;
