// The report of `sluice doctor --upstream URL`: the steps with their times, and how to register the server.
import { textColumns, wrapped } from "../../command_line/help_text.ts";
import type { Registration, Step, UpstreamReport, UpstreamTarget } from "./step.ts";

const NAME_WIDTH = 10;
const INDENT = " ".repeat(NAME_WIDTH);

/** The words of configuration files. */
const ENTRY_TYPES: Readonly<Record<Registration["transport"], string>> = {
  STREAMABLEHTTP: "http",
  SSE: "sse",
  WEBSOCKET: "ws",
};

/** The exit code: 0 the server works, 1 it works and something needs attention, 2 it does not work. */
export function exitCodeOfSteps(steps: readonly Step[]): number {
  if (steps.some(({ outcome }) => outcome === "fails")) return 2;
  return steps.some(({ outcome }) => outcome === "attention") ? 1 : 0;
}

export function upstreamText(report: UpstreamReport, target: UpstreamTarget, name: string): string {
  return [
    ...report.steps.map(stepText),
    ...(report.registration === null ? [] : [registrationText(report, target, name)]),
    [
      `${report.url} works.`,
      `${report.url} works, and something needs attention.`,
      `${report.url} does not work. The last step says why.`,
    ][exitCodeOfSteps(report.steps)],
  ].join("\n\n");
}

function stepText({ name, outcome, ms, found, remedy }: Step): string {
  return [
    `${name.padEnd(NAME_WIDTH)}${outcome}, ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`,
    ...found.flatMap((line) => wrapped(line, textColumns() - NAME_WIDTH).map((part) => INDENT + part)),
    ...(remedy === undefined
      ? []
      : wrapped(remedy, textColumns() - NAME_WIDTH - 3).map((part, index) =>
        `${INDENT}${index === 0 ? "-> " : "   "}${part}`
      )),
  ].join("\n");
}

/** What registers the server, for people: a line for a shell, and an entry of a file for `sluice import`. */
function registrationText(report: UpstreamReport, target: UpstreamTarget, name: string): string {
  const { body, entry } = registrationOf(report, target, name);
  const isNoted = target.headers.length > 0;
  return [
    `To register it${isNoted ? ", with the values of the headers in place of the words in capitals" : ""}:`,
    "",
    "curl -X POST http://127.0.0.1:4444/gateways \\",
    '  -H "Authorization: Bearer $TOKEN" \\',
    '  -H "Content-Type: application/json" \\',
    `  -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`,
    "",
    `or \`sluice import FILE\` with this file:`,
    "",
    JSON.stringify({ mcpServers: { [name]: entry } }, null, 2),
  ].join("\n");
}

/** The body of POST /gateways, and the entry of `mcpServers`. Values of headers are named in place of being shown. */
export function registrationOf(
  { url, registration }: UpstreamReport,
  { headers, caCertificate }: UpstreamTarget,
  name: string,
) {
  const bearer = headers.length === 1 && headers[0]![0].toLowerCase() === "authorization" &&
    /^bearer /i.test(headers[0]![1]);
  const valueOf = (header: string) => header.toUpperCase().replace(/[^A-Z0-9]+/g, "_");
  const credentials = headers.length === 0
    ? {}
    : bearer
    ? { auth_type: "bearer", auth_token: "TOKEN_OF_THE_UPSTREAM" }
    : { auth_type: "authheaders", auth_headers: headers.map(([key]) => ({ key, value: valueOf(key) })) };
  const transport = registration?.transport ?? "STREAMABLEHTTP";
  const body = {
    name,
    url,
    transport,
    ...credentials,
    ...(caCertificate === null ? {} : { ca_certificate: caCertificate }),
  };
  const entry = {
    type: ENTRY_TYPES[transport],
    url,
    ...(headers.length === 0 ? {} : {
      headers: Object.fromEntries(
        headers.map(([key]) => [key, bearer ? "Bearer ${TOKEN_OF_THE_UPSTREAM}" : `\${${valueOf(key)}}`]),
      ),
    }),
  };
  return { body, entry };
}

export function upstreamJson(report: UpstreamReport, target: UpstreamTarget, name: string): unknown {
  const status = ["works", "attention", "fails"][exitCodeOfSteps(report.steps)];
  const register = report.registration === null ? null : registrationOf(report, target, name);
  return {
    ...report,
    status,
    register: register === null ? null : { gateway: register.body, mcpServers: { [name]: register.entry } },
  };
}
