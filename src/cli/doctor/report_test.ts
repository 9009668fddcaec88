import { assertEquals } from "@std/assert";
import { bySeverity, exitCodeOf, type Finding, type Severity } from "./finding.ts";
import { reportJson, reportText } from "./report.ts";

const examined = ["the settings", "this machine"];

function finding(severity: Severity): Finding {
  return {
    id: `a.${severity}`,
    severity,
    found: "WORKERS is 8, and this machine has 2 processors for them.",
    why: "More workers than processors take turns: calls take longer.",
    fix: "WORKERS=2",
    page: "sizing#settings-that-follow",
  };
}

Deno.test("the worst finding decides the exit code, and comes first", () => {
  const codes = ([["note"], ["note", "warning"], ["warning", "error"], []] as Severity[][])
    .map((severities) => exitCodeOf(severities.map(finding)));
  assertEquals(codes, [0, 1, 2, 0]);
  const sorted = bySeverity((["note", "error", "warning"] as const).map(finding));
  assertEquals(sorted.map(({ severity }) => severity), ["error", "warning", "note"]);
});

Deno.test("reportText() and reportJson() say what was found and what was examined", () => {
  assertEquals(reportText({ examined, findings: [] }), "All is well. Examined: the settings, this machine.");
  assertEquals(
    reportText({ examined, findings: [finding("note")] }).split("\n\n")[1],
    "All is well, with 1 note. Examined: the settings, this machine.",
  );
  const findings = [{ ...finding("warning"), remark: "or more processors" }];
  assertEquals(reportText({ examined, findings }).split("\n"), [
    "WARNING  WORKERS is 8, and this machine has 2 processors for them.",
    "         More workers than processors take turns: calls take longer.",
    "         -> WORKERS=2",
    "            (or more processors)",
    "            sluice help sizing#settings-that-follow",
    "",
    "1 warning. Examined: the settings, this machine.",
  ]);
  assertEquals(reportJson({ examined, findings }), {
    status: "warnings",
    counts: { error: 0, warning: 1, note: 0 },
    examined,
    upstreams: [],
    findings,
  });
  const upstream = {
    ...{ name: "up", transport: "STREAMABLEHTTP", revisions: ["2025-11-25"], keeps_sessions: true },
    ...{ isolation: "session", answers: true, ms: 1.5 },
  };
  const silent = {
    ...upstream,
    name: "other",
    revisions: [],
    keeps_sessions: null,
    answers: false,
    ms: null,
  };
  assertEquals(reportText({ examined, findings: [], upstreams: [upstream, silent] }).split("\n"), [
    "Upstream up speaks MCP 2025-11-25, keeps sessions, answers in 1.5 ms.",
    "Upstream other was never listed.",
    "",
    "All is well. Examined: the settings, this machine.",
  ]);
});
