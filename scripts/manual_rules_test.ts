import { assertEquals } from "@std/assert";
import { openApiDocument } from "../src/admin/openapi/document.ts";
import { ROUTES } from "../src/admin/routes.ts";
import { ERRORS } from "../src/base/errors.ts";
import { PERMISSIONS } from "../src/auth/permission_table.ts";
import { type Command, COMMANDS } from "../src/cli/command_line/commands.ts";
import { SETTINGS } from "../src/config/schema.ts";
import { parsePage } from "../src/help/page.ts";
import { readTopic, TOPICS } from "../src/help/topics.ts";
import { METRICS } from "../src/telemetry/metric_table.ts";
import * as rules from "./manual_rules.ts";

const ROOT = new URL("../", import.meta.url);
const README = "README.md";

const pages = new Map([
  [README, read(README)!],
  ...await Promise.all(
    TOPICS.map(async ({ name }) => [`src/help/${name}.md`, await readTopic(name)] as const),
  ),
]);

function read(path: string): string | null {
  try {
    return Deno.statSync(new URL(path, ROOT)).isFile ? Deno.readTextFileSync(new URL(path, ROOT)) : "";
  } catch {
    return null;
  }
}

/** The faults of all pages, each with its page. */
function faults(
  rule: (page: ReturnType<typeof parsePage>, path: string, markdown: string) => string[],
): string[] {
  return [...pages].flatMap(([path, markdown]) =>
    rule(parsePage(markdown), path, markdown).map((fault) => `${path}: ${fault}`)
  );
}

Deno.test("every topic is a file, and every file a topic", () => {
  const files = [...Deno.readDirSync(new URL("src/help", ROOT))].map(({ name }) => name).filter((name) =>
    name.endsWith(".md")
  );
  assertEquals(files.sort(), TOPICS.map(({ name }) => `${name}.md`).sort());
});

Deno.test("settings.md has every setting, errors.md every code, metrics.md every metric", () => {
  const lacks = (topic: string, names: readonly string[], mark: (name: string) => string) =>
    names.filter((name) => !pages.get(`src/help/${topic}.md`)!.includes(mark(name)));
  const settings = SETTINGS.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  assertEquals(lacks("settings", settings, (name) => `\`${name}\``), []);
  assertEquals(lacks("errors", Object.keys(ERRORS), (name) => `\n### ${name}\n`), []);
  assertEquals(lacks("metrics", Object.keys(METRICS), (name) => `\n### ${name}\n`), []);
});

Deno.test("api.md has every route of the REST API, and every field of its bodies", () => {
  const page = pages.get("src/help/api.md")!;
  const routes = ROUTES.map(({ method, path }) => `| \`${method} ${path}\` |`);
  assertEquals(routes.filter((route) => !page.includes(route)), []);
  const shapes = Object.values(openApiDocument(ROUTES).components.schemas);
  const fields = shapes.flatMap(({ properties = {} }) => Object.keys(properties));
  assertEquals(fields.filter((field) => !page.includes(`| \`${field}\``)), []);
});

Deno.test("tokens.md has every permission", () => {
  const page = pages.get("src/help/tokens.md")!;
  const isNamed = (name: string) =>
    page.includes(`\`${name}\``) ||
    !/^(admin|teams|tokens)\./.test(name) && page.includes(`\`…${name.replace(/^\w+/, "")}\``);
  assertEquals(PERMISSIONS.filter((name) => !isNamed(name)), []);
});

Deno.test("the page that a command's help points to names the command", () => {
  const silent = Object.entries<Command>(COMMANDS).filter(([name, { topic }]) =>
    topic !== undefined && !pages.get(`src/help/${topic}.md`)!.includes(`sluice ${name}`)
  );
  assertEquals(silent.map(([name, { topic }]) => `sluice ${name} in ${topic}.md`), []);
});

Deno.test("the README and the manual name nothing that the program does not have", () => {
  assertEquals(faults((page) => rules.unknownNames(page)), [], "settings and error codes");
  assertEquals(faults((_page, _path, markdown) => rules.unknownMetrics(markdown)), [], "metrics");
  assertEquals(faults((page) => rules.unknownRoutes(page)), [], "routes");
  assertEquals(faults((page) => rules.unknownCommands(page)), [], "commands and flags");
});

Deno.test("every command is named in the manual, and every topic in the README", () => {
  const texts = [...pages.values()].join("\n");
  const isNamed = (name: string) => new RegExp(`\\bsluice ${name}\\b`).test(texts);
  assertEquals(Object.keys(COMMANDS).filter((name) => !isNamed(name)), []);
  const links = TOPICS.map(({ name }) => `[${name}](src/help/${name}.md)`);
  assertEquals(links.filter((link) => !pages.get(README)!.includes(link)), []);
});

Deno.test("the README and the manual show the defaults of limits, and stop a server before they start another", () => {
  assertEquals(faults((page) => rules.wrongLimits(page)), []);
  assertEquals(faults((page) => rules.unstoppedServers(page)), []);
});

Deno.test("limits.md shows the defaults of the rate limits", () => {
  const shown = pages.get("src/help/limits.md")!.matchAll(
    /`(RATE_LIMIT_\w+)_RPM` \+ `_BURST`: (\d+) \+ (\d+)/g,
  );
  const preset = (name: string) => SETTINGS.find((setting) => setting.name === name)?.default;
  const tiers = [...shown].map(([, tier, minute, burst]) => [tier!, minute!, burst!] as const);
  assertEquals(tiers.length, 3);
  assertEquals(tiers, tiers.map(([tier]) => [tier, preset(`${tier}_RPM`), preset(`${tier}_BURST`)]));
});

Deno.test("the links of the READMEs, of .github and of the manual resolve", () => {
  const known = new Map<string, readonly string[] | null>();
  const slugsOf = (path: string) => {
    if (!known.has(path)) {
      const text = read(path);
      known.set(path, text === null ? null : parsePage(text).headings.map(({ slug }) => slug));
    }
    return known.get(path)!;
  };
  assertEquals(faults((page, path) => rules.brokenLinks(path, page, slugsOf)), []);
  const others = ["src/README.md", "tests/README.md", "bench/README.md"].concat(
    ["CONTRIBUTING", "SECURITY", "CHANGELOG"].map((name) => `.github/${name}.md`),
  );
  assertEquals(others.flatMap((path) => rules.brokenLinks(path, parsePage(read(path)!), slugsOf)), []);
});

Deno.test("the manual fits a terminal of 80 columns", () => {
  assertEquals(faults((page, path) => path === README ? [] : rules.unfitLines(page)), []);
});

Deno.test("the sentences of the README and the manual are short, and their JSON and YAML can be read", () => {
  const long = faults((page) => {
    const words = rules.wordsPerSentence(page);
    return words < rules.WORDS_PER_SENTENCE ? [] : [`${words.toFixed(1)} words a sentence`];
  });
  assertEquals(long, []);
  assertEquals(faults((page) => rules.brokenData(page)), []);
});

Deno.test("every metric of the table is begun by some part of the program", () => {
  const sources = (folder: string): string[] =>
    [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) => {
      if (isDirectory) return sources(`${folder}${name}/`);
      return /(?<!_test)\.ts$/.test(name) && name !== "metric_table.ts" ? [read(`${folder}${name}`)!] : [];
    });
  const text = sources("src/").join("\n");
  assertEquals(Object.keys(METRICS).filter((name) => !text.includes(`"${name}"`)), []);
});

Deno.test("the rules find what they are for", () => {
  const found = (rule: (page: ReturnType<typeof parsePage>) => string[], markdown: string) =>
    rule(parsePage(markdown));
  assertEquals(
    found(
      rules.unknownNames,
      "`PORT` `PROT_X` `RATE_LIMIT_*` `UPSTREAM_GONE` `UPSTREAM_TIMEOUT` `SSL_X=1` `HTTP` `WORKRES=4` SSL_Y",
    ),
    ["PROT_X", "UPSTREAM_GONE", "SSL_X", "WORKRES", "SSL_Y"],
  );
  assertEquals(
    found(rules.unknownNames, "```sh\nSTDIO_ENABELD=true LOG_LEVEL=x sluice serve -e $SSL_Z=1\n```\n"),
    ["STDIO_ENABELD"],
  );
  assertEquals(
    found(
      rules.wrongLimits,
      "| what | limit | setting |\n|---|---|---|\n| a | 4 MiB; more | `MAX_BODY_BYTES` |\n" +
        "| b | 1,025 | `MAX_STREAMS_PER_CALLER` |\n| c | off | `RATE_LIMITING_ENABLED` |\n",
    ),
    ["MAX_STREAMS_PER_CALLER: 1,025"],
  );
  const server = (text: string) => `${text}:\n\n<!-- run: server 4444 -->\n\`\`\`sh\n${text}\n\`\`\`\n\n`;
  assertEquals(found(rules.unstoppedServers, server("start") + server("stop") + server("start anew")), [
    "start anew",
  ]);
  assertEquals(found(rules.unknownNames, "```yaml\nenvironment: { LOG_LEVEL: x, LOG_LEVLE: y }\n```\n"), [
    "LOG_LEVLE",
  ]);
  assertEquals(rules.unknownMetrics("sluice_leader sluice_leaders sluice_replica_"), ["sluice_leaders"]);
  assertEquals(
    found(
      rules.unknownRoutes,
      "`GET /tools` `PATCH /tools` `POST /v1/gateways?wait=false` `GET /toolz` `PUT /tools/{id}`",
    ),
    ["PATCH /tools", "GET /toolz"],
  );
  assertEquals(
    found(
      rules.unknownCommands,
      "`sluice serve --demo` `sluice serv` `sluice help tokns` `sluice connect curser` `sluice connect CLIENT` `sluice token --adimn` `--takeover` `--takeoff`\n\n" +
        "```sh\nTOKEN=$(sluice token revoke x --now)\nsluice help tokens | cat --all\n```\n",
    ),
    [
      "sluice serv",
      "sluice help tokns",
      "sluice connect curser",
      "sluice token --adimn",
      "sluice token revoke x --now",
      "--takeoff",
    ],
  );
  const files = new Map([["src/help/a.md", ["a", "here"]], ["src/help/c.md", ["self"]], ["LICENSE", []]]);
  const links =
    "[a](a.md) [b](b.md) [h](a.md#here) [n](a.md#nowhere) [s](#self) [l](../../LICENSE) [w](https://x.example)";
  assertEquals(
    rules.brokenLinks("src/help/c.md", parsePage(`# Self\n\n${links}`), (path) => files.get(path) ?? null),
    ["b.md", "a.md#nowhere"],
  );
  assertEquals(
    found(
      rules.unfitLines,
      `\`\`\`sh\n${"x".repeat(rules.CODE_COLUMNS)}\n${"y".repeat(77)}\n\`\`\`\n\n<b>z</b>`,
    ),
    [
      `    ${"y".repeat(77)}`,
      "<b>",
      "</b>",
    ],
  );
  assertEquals(
    rules.wordsPerSentence(parsePage("One two. Three four five six.\n\n- Seven eight nine.\n")),
    3,
  );
  assertEquals(
    found(rules.brokenData, '```json\n{"a": "…"}\n```\n\n```json\n{a}\n```\n\n```yaml\na: [b\n```\n'),
    ["{a}", "a: [b"],
  );
});
