import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { COMMANDS } from "./commands.ts";
import { parseInvocation } from "./flags.ts";

/** The mistakes in a command line, without the line that points to the help. */
function mistakes(line: string): string[] {
  const error = assertThrows(
    () => parseInvocation(line.split(" ").filter((word) => word !== "")),
    SluiceError,
  );
  assertEquals(error.code, "USAGE_INVALID");
  return error.data as string[];
}

const PLAIN_TOKEN = {
  username: null,
  name: null,
  expMinutes: 60,
  admin: false,
  teams: null,
  server: null,
  permissions: null,
  secret: null,
};

function invocation(line: string) {
  return parseInvocation(line.split(" "));
}

Deno.test("parseInvocation() reads serve and its overrides", () => {
  assertEquals(invocation("serve"), {
    command: "serve",
    args: { demo: false, dev: false, takeover: false, overrides: {} },
  });
  assertEquals(invocation("serve --demo --dev --port 0 --host=127.0.0.1 --workers auto"), {
    command: "serve",
    args: {
      demo: true,
      dev: true,
      takeover: false,
      overrides: { HOST: "127.0.0.1", PORT: "0", WORKERS: "auto" },
    },
  });
});

Deno.test("parseInvocation() reads the commands of users and roles", () => {
  assertEquals(invocation("user add Ann@X.org --admin"), {
    command: "user add",
    args: { email: "ann@x.org", name: null, admin: true },
  });
  assertEquals(invocation("user list --json"), { command: "user list", args: { json: true } });
  assertEquals(invocation("role list --user a@b.c"), {
    command: "role list",
    args: { user: "a@b.c", json: false },
  });
  assertEquals(invocation("role grant developer --user a@b.c --team ops --until 2100-01-01"), {
    command: "role grant",
    args: { role: "developer", user: "a@b.c", team: "ops", server: null, until: Date.UTC(2100, 0, 1) },
  });
  assertEquals(mistakes("user add"), ["EMAIL is missing"]);
  assertEquals(mistakes("user remove ann"), ['EMAIL must be an email address, not "ann"']);
  assertEquals(mistakes("role revoke viewer --team a --server b"), [
    "--user is missing",
    "--team and --server exclude each other",
  ]);
  for (const time of ["tomorrow", "2001-01-01"]) {
    assertEquals(mistakes(`role grant viewer --user a@b.c --until ${time}`).length, 1);
  }
  assertEquals(mistakes("user lst"), ['unknown command "user lst"; did you mean user list?']);
});

Deno.test("parseInvocation() reads import with repeated inputs, connect with and without a client, and the file of serve", () => {
  const gateway = { url: null, tokenFile: null };
  assertEquals(invocation("import f.json --input a=b=c --input d --dry-run"), {
    command: "import",
    args: {
      file: "f.json",
      inputs: ["a=b=c", "d"],
      toolApproval: null,
      dryRun: true,
      json: false,
      ...gateway,
    },
  });
  const plain = {
    ...{ client: null, server: null, write: false, file: null, name: null, username: null, teams: null },
    ...{ login: false, expMinutes: 43_200, ...gateway },
  };
  assertEquals(invocation("connect"), { command: "connect", args: plain });
  assertEquals(invocation("connect cursor --server s --write --exp 0 --url http://h --teams a,b"), {
    command: "connect",
    args: {
      ...plain,
      client: "cursor",
      server: "s",
      write: true,
      expMinutes: 0,
      url: "http://h",
      teams: ["a", "b"],
    },
  });
  assertEquals(invocation("serve --mcp-config f.json"), {
    command: "serve",
    args: { demo: false, dev: false, takeover: false, overrides: { MCP_CONFIG: "f.json" } },
  });
  assertEquals(mistakes("import"), ["FILE is missing"]);
  assertEquals(mistakes("import f.json --url h"), ['--url must be an http:// or https:// address, not "h"']);
});

Deno.test("parseInvocation() reads token, demo, stdio, backup, restore, config and version", () => {
  assertEquals(invocation("token --username a@b.c --exp 0 --admin --secret S --teams x,,y"), {
    command: "token",
    args: { ...PLAIN_TOKEN, username: "a@b.c", expMinutes: 0, admin: true, secret: "S", teams: ["x", "y"] },
  });
  assertEquals(invocation("token"), { command: "token", args: PLAIN_TOKEN });
  assertEquals(
    invocation("token --teams null --server s1 --permissions tools.read,,tools.execute --name Ann"),
    {
      command: "token",
      args: {
        ...PLAIN_TOKEN,
        teams: "all",
        server: "s1",
        permissions: ["tools.read", "tools.execute"],
        name: "Ann",
      },
    },
  );
  assertEquals(invocation("token --teams none"), { command: "token", args: { ...PLAIN_TOKEN, teams: [] } });
  assertEquals(invocation("demo"), { command: "demo", args: { host: "127.0.0.1", port: 9000 } });
  assertEquals(invocation("demo --port 0"), { command: "demo", args: { host: "127.0.0.1", port: 0 } });
  assertEquals(invocation("stdio"), { command: "stdio", args: { server: null, url: null, tokenFile: null } });
  assertEquals(invocation("stdio --server one --url https://gw.example/base --token-file t"), {
    command: "stdio",
    args: { server: "one", url: "https://gw.example/base", tokenFile: "t" },
  });
  assertEquals(invocation("config --json --dev"), { command: "config", args: { json: true, dev: true } });
  for (const command of ["backup", "restore"] as const) {
    assertEquals(invocation(`${command} a.db`), { command, args: { file: "a.db", force: false } });
    assertEquals(invocation(`${command} --force a.db`), { command, args: { file: "a.db", force: true } });
  }
  for (const line of ["--version", "-V", "version"]) assertEquals(invocation(line), { command: "version" });
  const help = { subject: null, words: [], list: false };
  const rows = [
    ["help", help],
    ["help help", { ...help, subject: "help" }],
    ["help serve", { ...help, subject: "serve" }],
    ["--help serve", { ...help, subject: "serve" }],
    ["help token revoke", { ...help, subject: "token revoke" }],
    ["help security#limits", { ...help, subject: "security#limits" }],
    ["help --list", { ...help, list: true }],
    ["help --search private ca", { ...help, words: ["private", "ca"] }],
    ["help ca --search private", { ...help, words: ["private", "ca"] }],
  ] as const;
  for (const [line, args] of rows) assertEquals([line, invocation(line)], [line, { command: "help", args }]);
});

Deno.test("parseInvocation() gives help for the program and for each command", () => {
  for (const line of ["--help", "-h"]) assertEquals(helpText(line).includes("COMMAND [FLAGS]"), true);
  for (const line of ["serve --help", "serve -h", "serve --nonsense --help"]) {
    assertEquals([line, helpText(line).startsWith("Usage: sluice serve")], [line, true]);
  }
  assertEquals(parseInvocation([]), { command: "usage", text: helpText("--help"), exitCode: 2 });
});

Deno.test("parseInvocation() gives help that fits a terminal of 80 columns and names every command and flag", () => {
  const overview = helpText("--help");
  const lines = overview.split("\n");
  for (const command of Object.keys(COMMANDS)) {
    const [word, second] = command.split(" ");
    const at = lines.findIndex((line) => line.startsWith(`  ${word} `));
    assertEquals([word, at > 0], [word, true]);
    if (second !== undefined) {
      assertMatch(lines.slice(at, at + 2).join(" "), new RegExp(`(: |, )(\\s*)${second}[,.]`));
      assertStringIncludes(helpText(`${word} --help`), `\n  ${command} `);
    }
    for (const line of [...lines, ...helpText(`${command} --help`).split("\n")]) {
      assertEquals([line, line.length <= 80], [line, true]);
    }
  }
  for (const flag of ["--server ID", "--permissions A,B", "--teams A,B", "--name TEXT", "--exp MINUTES"]) {
    assertEquals(helpText("token --help").includes(`\n  ${flag} `), true);
  }
});

Deno.test("parseInvocation() names every mistake, with the nearest right name", () => {
  const rows: ReadonlyArray<[line: string, mistakes: readonly string[]]> = [
    ["servee", ['unknown command "servee"; did you mean serve?']],
    ["tokn --admin", ['unknown command "tokn"; did you mean token?']],
    ["settings", ['unknown command "settings"; the manual has that topic: sluice help settings']],
    ["frobnicate", ['unknown command "frobnicate"']],
    ["--verison", ["unknown flag --verison; did you mean --version?"]],
    ["help --serach x", ["unknown flag --serach; did you mean --search?"]],
    ["--version now", ['unexpected "now"']],
    ["serve --prot 1 --demos extra more", [
      "unknown flag --prot; did you mean --port?",
      "unknown flag --demos; did you mean --demo?",
      'unexpected "more"',
    ]],
    ["serve --demo=yes --port --workers", [
      "--demo takes no value",
      "--port needs a value: --port N",
      "--workers needs a value: --workers N",
    ]],
    ["serve --port= --hots x", [
      "--port needs a value: --port N",
      "unknown flag --hots; did you mean --host?",
    ]],
    ["serve --port 1 --port 2", ["--port is given twice"]],
    ["serve --no-demo", ["unknown flag --no-demo"]],
    ["serve -p 1", ["unknown flag -p"]],
    ["serve --toString", ["unknown flag --toString"]],
    ["serve x", ['unexpected "x"']],
    ["token --exp 1.5 --frobnicate", [
      '--exp must be a whole number from 0 to 52560000, not "1.5"',
      "unknown flag --frobnicate",
    ]],
    ["demo --port 70000", ['--port must be a whole number from 0 to 65535, not "70000"']],
    ["demo --workers 2", ["unknown flag --workers"]],
  ];
  for (const [line, expected] of rows) assertEquals([line, mistakes(line)], [line, expected]);
});

Deno.test("parseInvocation() points to the help of the command in question", () => {
  const lastLine = (line: string) =>
    assertThrows(() => parseInvocation(line.split(" ")), SluiceError).message.split("\n").at(-1);
  assertEquals(lastLine("serve --nope"), "Try: sluice serve --help");
  assertEquals(lastLine("nope"), "Try: sluice --help");
  for (const line of ["user", "user nope", "user lst"]) {
    assertEquals(lastLine(line), "Try: sluice user --help");
  }
  assertEquals(lastLine("token revok"), "Try: sluice token --help");
});

Deno.test("parseInvocation() names the second words of a first word that needs one", () => {
  assertEquals(mistakes("user"), [
    '"user" needs a second word: list, add, lock, unlock, reset or remove',
  ]);
  assertEquals(mistakes("role nope --user a@b.c"), [
    'unknown command "role nope"; after "role" comes list, grant or revoke',
  ]);
  assertEquals(mistakes("usr"), ['unknown command "usr"; did you mean user?']);
  assertEquals(
    helpText("user --help").startsWith("Usage: sluice user COMMAND [FLAGS]\n\nManage users.\n"),
    true,
  );
});

function helpText(line: string): string {
  const result = invocation(line);
  return result.command === "usage" ? result.text : "";
}

Deno.test("parseInvocation() reads audit verify and audit export", () => {
  assertEquals(invocation("audit verify --noted 7:ab"), {
    command: "audit verify",
    args: { noted: "7:ab", after: 0 },
  });
  assertEquals(invocation("audit export --after 9"), {
    command: "audit export",
    args: { noted: null, after: 9 },
  });
  assertEquals(mistakes("audit"), ['"audit" needs a second word: verify or export']);
});

Deno.test("parseInvocation() reads keys rotate", () => {
  assertEquals(invocation("keys rotate"), { command: "keys rotate", args: { now: false } });
  assertEquals(invocation("keys rotate --now"), { command: "keys rotate", args: { now: true } });
  assertEquals(mistakes("keys rotat"), ['unknown command "keys rotat"; did you mean keys rotate?']);
  assertEquals(mistakes("keys"), ['"keys" needs a second word: rotate']);
});

Deno.test("parseInvocation() reads token revoke with its one operand", () => {
  const revoking = (operand: string, reason: string | null = null) => ({
    command: "token revoke",
    args: { operand, user: null, reason },
  });
  assertEquals(invocation("token revoke some-id"), revoking("some-id"));
  assertEquals(invocation("token revoke --reason lost -"), revoking("-", "lost"));
  assertEquals(mistakes("token revoke"), ["TOKEN|JTI or --user is missing"]);
  const ofUser = { command: "token revoke", args: { operand: null, user: "a@b.c", reason: null } };
  assertEquals(invocation("token revoke --user a@b.c"), ofUser);
  for (const more of ["some-id", "--reason lost"]) {
    assertEquals(mistakes(`token revoke --user a@b.c ${more}`), [
      "--user stands alone, without TOKEN|JTI and --reason",
    ]);
  }
  assertEquals(mistakes("token revoke a b"), ['unexpected "b"']);
  assertEquals(mistakes("token revok a"), ['unknown command "token revok"; did you mean token revoke?']);
  assertEquals(mistakes("token something"), ['unexpected "something"']);
  assertEquals(
    helpText("token revoke --help").startsWith("Usage: sluice token revoke [TOKEN|JTI] [FLAGS]"),
    true,
  );
});

Deno.test("parseInvocation() reads the load and the servers of `tune`, and names what is missing or wrong", () => {
  const load = { users: 3000, replicas: 1, vcpu: null, ramMb: null, latencyMs: 200, thinkMs: 3000 };
  const plain = {
    load,
    surroundings: { database: "sqlite", redis: false },
    out: null,
    check: false,
    probe: false,
    json: false,
  };
  assertEquals(invocation("tune --users 3000"), { command: "tune", args: plain });
  assertEquals(invocation("tune --users 9 --replicas 2 --vcpu 0.5 --ram 1.5 --think-ms 0 --redis --out d"), {
    command: "tune",
    args: {
      ...plain,
      load: { ...load, users: 9, replicas: 2, vcpu: 0.5, ramMb: 1536, thinkMs: 0 },
      // Replicas share no SQLite file.
      surroundings: { database: "postgres", redis: true },
      out: "d",
    },
  });
  assertEquals(mistakes("tune --vcpu 0 --check --out d"), [
    "--users is missing",
    '--vcpu must be a number from 0.1 to 256, not "0"',
    "--check writes nothing: leave --out away",
  ]);
  assertEquals(mistakes("tune --users 0 --replicas -1 --latency-ms 0"), [
    '--users must be a whole number from 1 to 1000000, not "0"',
    '--replicas must be a whole number from 1 to 1000, not "-1"',
    '--latency-ms must be a whole number from 1 to 3600000, not "0"',
  ]);
});

Deno.test("parseInvocation() reads the upstream of `doctor`, and shows no value of a wrong header", () => {
  assertEquals(parseInvocation(["doctor", "--upstream", "http://h/mcp", "--header", "X-Api-Key: a b"]), {
    command: "doctor",
    args: {
      upstream: { url: "http://h/mcp", headers: ["X-Api-Key: a b"], ca: null },
      pgbouncerIni: null,
      fix: false,
      json: false,
    },
  });
  assertEquals(invocation("doctor --json --pgbouncer-ini p.ini"), {
    command: "doctor",
    args: { upstream: null, pgbouncerIni: "p.ini", fix: false, json: true },
  });
  assertEquals(mistakes("doctor --upstream ftp://h --header hush"), [
    '--upstream must be an http://, https://, ws:// or wss:// address, not "ftp://h"',
    '--header 1 must be "Name: value"',
  ]);
  assertEquals(mistakes("doctor --ca f --header a:b"), [
    "--header needs --upstream",
    "--ca needs --upstream",
  ]);
  assertEquals(mistakes("doctor --upstream http://h --pgbouncer-ini f"), [
    "--pgbouncer-ini stands without --upstream",
  ]);
});
