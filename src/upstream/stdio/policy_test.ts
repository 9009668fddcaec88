import { assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { checkLaunch, checkVariables, childEnvironment } from "./policy.ts";

const launch = (command: string) => ({ command, args: [], cwd: null });

Deno.test("checkLaunch() refuses everything by default, and then all but the allowed commands", () => {
  const refusal = (command: string, stdioEnabled: boolean, stdioAllowedCommands: string[]) => {
    const stdioAllowedVariables: string[] = [];
    const check = () =>
      checkLaunch(launch(command), { stdioEnabled, stdioAllowedCommands, stdioAllowedVariables });
    const { code, message } = assertThrows(check, SluiceError);
    assertEquals(code, "COMMAND_DENIED");
    return message;
  };
  assertEquals(refusal("npx", false, []).includes("STDIO_ENABLED=true"), true);
  assertEquals(refusal("npx", false, ["npx"]).includes("STDIO_ENABLED=true"), true);
  for (const command of ["node", "/usr/bin/npx", "npx ", "NPX", "./npx"]) {
    assertEquals(refusal(command, true, ["npx", "uvx"]).includes("STDIO_ALLOWED_COMMANDS"), true);
  }
  const rules = { stdioEnabled: true, stdioAllowedVariables: [] };
  checkLaunch(launch("npx"), { ...rules, stdioAllowedCommands: ["npx", "uvx"] });
  checkLaunch(launch("anything"), { ...rules, stdioAllowedCommands: [] });
});

Deno.test("checkVariables() allows only the listed variables while commands are restricted", () => {
  const check = (names: string[], stdioAllowedVariables: string[], stdioAllowedCommands = ["bash"]) =>
    checkVariables(names, { stdioEnabled: true, stdioAllowedCommands, stdioAllowedVariables });
  for (
    const [names, allowed] of [[["BASH_ENV"], []], [["KEY", "NODE_OPTIONS"], ["KEY"]], [["key"], ["KEY"]]]
  ) {
    const { code, message } = assertThrows(() => check(names!, allowed!), SluiceError);
    assertEquals(code, "COMMAND_DENIED");
    assertEquals([message.includes("STDIO_ALLOWED_VARIABLES"), message.endsWith(`: ${names!.at(-1)}`)], [
      true,
      true,
    ]);
  }
  for (const name of ["PATH", "LD_PRELOAD"]) assertThrows(() => check([name], [name]), SluiceError);
  check([], []);
  check(["KEY"], ["KEY", "OTHER"]);
  check(["BASH_ENV", "PATH"], [], []);
});

Deno.test("childEnvironment() passes on what is on its list and the registration's own, and no secret of ours", () => {
  const ours: Record<string, string> = {
    PATH: "/bin",
    HOME: "/root",
    JWT_SECRET_KEY: "hush",
    AUTH_ENCRYPTION_SECRET: "hush",
    DATABASE_URL: "postgres://u:hush@h/d",
    HTTPS_PROXY: "http://u:hush@proxy",
    NODE_OPTIONS: "--inspect",
  };
  const found = childEnvironment({ API_KEY: "theirs", HOME: "/srv" }, (name) => ours[name], null);
  assertEquals(found, { PATH: "/bin", HOME: "/srv", API_KEY: "theirs" });
  const account = { name: "mcp", uid: 7, gid: 7, home: "/home/mcp", shell: "/bin/bash" };
  assertEquals(childEnvironment({ API_KEY: "theirs" }, (name) => ours[name], account), {
    PATH: "/bin",
    HOME: "/home/mcp",
    USER: "mcp",
    LOGNAME: "mcp",
    SHELL: "/bin/bash",
    API_KEY: "theirs",
  });
});
