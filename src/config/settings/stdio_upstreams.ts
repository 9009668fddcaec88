// Settings of upstreams that are started as processes.

import { bool, int, list, seconds, setting, text } from "./setting.ts";

/** A relative path would name another program in each `cwd` that a registration chooses. */
function command(item: string): string | undefined {
  return item.startsWith("/") || !item.includes("/") ? item : undefined;
}

function variableName(item: string): string | undefined {
  return /^[A-Za-z_]\w*$/.test(item) ? item : undefined;
}

export const STDIO_SETTINGS = [
  setting({
    name: "STDIO_ENABLED",
    kind: bool(),
    default: "false",
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "Let administrators register upstreams that the gateway starts as processes. An administrator can " +
      "then run commands as the gateway's user, or as STDIO_USER.",
  }),
  setting({
    name: "STDIO_USER",
    kind: text("the name of a user", /^\S+$/),
    default: null,
    scope: "process",
    reloadable: false,
    state: "active",
    doc: "User of the operating system that stdio upstreams run as, so that they cannot read the gateway's " +
      "secrets. Without it, they run as the gateway's user. HOME, USER, LOGNAME and SHELL are that user's. Needs " +
      "Linux, util-linux (`setpriv`), and a gateway that runs as root or with the ambient capabilities " +
      "CAP_SETUID, CAP_SETGID and CAP_KILL.",
  }),
  setting({
    name: "STDIO_ALLOWED_COMMANDS",
    kind: list("commands (names without a slash, or absolute paths)", command),
    default: "[]",
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "Commands that may be registered, in exactly this spelling: absolute paths, or names that are looked " +
      "up in the gateway's PATH. Empty: every command.",
  }),
  setting({
    name: "STDIO_ALLOWED_VARIABLES",
    kind: list("names of environment variables", variableName),
    default: "[]",
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "Variables that the `env` of a registration may set while STDIO_ALLOWED_COMMANDS is not empty. List " +
      "none that make an allowed program load code, such as BASH_ENV, NODE_OPTIONS or PYTHONPATH. PATH is then " +
      "refused; LD_* and DYLD_* always are.",
  }),
  setting({
    name: "STDIO_MAX_PROCESSES",
    kind: int({ min: 1, max: 100_000 }),
    default: "200",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Running processes of all upstreams.",
  }),
  setting({
    name: "STDIO_MAX_PROCESSES_PER_UPSTREAM",
    kind: int({ min: 1, max: 100_000 }),
    default: "50",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Running processes of one upstream. Each session has a process of its own; calls without a " +
      "session share one.",
  }),
  setting({
    name: "STDIO_START_TIMEOUT",
    kind: seconds({ min: 1 }),
    default: "60",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc:
      "Time for a process to start and to answer its first request. A program that npx or uvx installs first needs it; " +
      "a call gives up after its own time limit, and the start goes on for the next call.",
  }),
  setting({
    name: "STDIO_IDLE_TIMEOUT",
    kind: seconds({ min: 0, hint: "0: never" }),
    default: "600",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Time without a call after which a process is ended, unless its client has subscriptions. The " +
      "next call starts a new process.",
  }),
] as const;
