// The alert rules that the program prints, evaluated by promtool over series of an hour: when each one fires, and that all is quiet otherwise.
import { assert, assertEquals } from "@std/assert";
import { parse } from "@std/yaml";
import { runCli } from "../support/cli.ts";
import { canLeaveOut, findProgram } from "../support/programs.ts";

interface Case {
  /** Series -> values, a minute apart, in promtool's notation: `0+60x60` grows by 60. */
  readonly series: Readonly<Record<string, string>>;
  /** Minutes. */
  readonly firesAt: number;
  /** What it fires for: labels besides the severity. */
  readonly labels: Readonly<Record<string, string>>;
  /** Minutes: not yet. */
  readonly quietAt: number;
}

const ON = { instance: "a:4444" };
const AT = 'instance="a:4444",job="sluice"';
const upstream = { upstream: "u" };

/** The buckets of a histogram, all of whose observations took between the last two bounds. */
function slowBuckets(name: string, labels: string, bounds: readonly number[]): Record<string, string> {
  return Object.fromEntries(
    [...bounds, "+Inf"].map((
      le,
    ) => [`${name}_bucket{${labels},le="${le}"}`, le === "+Inf" ? "0+60x60" : "0x60"]),
  );
}

const CASES: Readonly<Record<string, Case>> = {
  SluiceDown: {
    series: { [`up{${AT}}`]: "1x9 0x50" },
    firesAt: 13,
    labels: { ...ON, job: "sluice" },
    quietAt: 11,
  },
  SluiceWorkersDie: {
    series: { [`sluice_workers_ended_total{${AT},reason="died"}`]: "0x9 1x9 3x40" },
    ...{ firesAt: 22, labels: ON, quietAt: 12 },
  },
  SluiceRefusesRequests: {
    series: { [`sluice_requests_refused_total{${AT},code="OVERLOADED"}`]: "0x9 0+60x50" },
    ...{ firesAt: 17, labels: { ...ON, code: "OVERLOADED" }, quietAt: 13 },
  },
  SluiceErrorsOfItsOwn: {
    series: {
      [`sluice_http_answers_total{${AT},endpoint="rpc",status="503"}`]: "0x9 0+60x50",
      [`sluice_http_answers_total{${AT},endpoint="rpc",status="200"}`]: "0+60x60",
    },
    ...{ firesAt: 17, labels: ON, quietAt: 13 },
  },
  SluiceUpstreamDown: {
    series: { [`sluice_upstream_up{${AT},upstream="u"}`]: "1x9 0x50" },
    ...{ firesAt: 16, labels: upstream, quietAt: 14 },
  },
  SluiceUpstreamLoginsNotRenewed: {
    series: { [`sluice_upstream_login_renewals_total{${AT},outcome="failed"}`]: "0x9 0+1x50" },
    ...{ firesAt: 17, labels: ON, quietAt: 13 },
  },
  SluiceUpstreamLoginsLost: {
    series: { [`sluice_upstream_login_renewals_total{${AT},outcome="lost"}`]: "0x9 0+1x50" },
    ...{ firesAt: 25, labels: ON, quietAt: 13 },
  },
  SluiceUpstreamFails: {
    series: {
      [`mcp_client_operation_duration_seconds_count{${AT},upstream="u",error_type="UPSTREAM_TIMEOUT"}`]:
        "0x9 0+60x50",
      [`mcp_client_operation_duration_seconds_count{${AT},upstream="u",error_type=""}`]: "0+60x60",
    },
    ...{ firesAt: 25, labels: upstream, quietAt: 18 },
  },
  SluiceBreakerOpen: {
    // It is open for a minute, and for a moment it is tried.
    series: {
      [`sluice_upstream_breaker_open{${AT},upstream="u"}`]: "0x9 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0",
    },
    ...{ firesAt: 16, labels: upstream, quietAt: 13 },
  },
  SluiceUpstreamSlow: {
    series: slowBuckets("mcp_client_operation_duration_seconds", `${AT},upstream="u",error_type=""`, [
      1,
      10,
      30,
    ]),
    ...{ firesAt: 12, labels: upstream, quietAt: 8 },
  },
  SluiceToolFails: {
    series: {
      [`sluice_tool_calls_total{${AT},upstream="u",gen_ai_tool_name="t",outcome="tool_error"}`]:
        "0x9 0+10x50",
    },
    ...{ firesAt: 18, labels: { ...upstream, gen_ai_tool_name: "t" }, quietAt: 11 },
  },
  SluiceWaitsForConnections: {
    series: { [`sluice_pool_calls_waiting{${AT}}`]: "0x9 2x50" },
    ...{ firesAt: 16, labels: { ...ON, job: "sluice" }, quietAt: 11 },
  },
  SluiceWorkerBusy: {
    series: slowBuckets("sluice_event_loop_delay_seconds", `${AT},worker="1"`, [0.1, 0.5]),
    ...{ firesAt: 12, labels: { ...ON, worker: "1" }, quietAt: 8 },
  },
  SluiceWorkerHeapFull: {
    series: {
      [`sluice_worker_heap_bytes{${AT},worker="1"}`]: "50x9 90x50",
      [`sluice_worker_heap_limit_bytes{${AT},worker="1"}`]: "100x60",
    },
    ...{ firesAt: 16, labels: { ...ON, job: "sluice", worker: "1" }, quietAt: 13 },
  },
  SluiceDescriptorsShort: {
    series: { [`process_open_fds{${AT}}`]: "50x9 90x50", [`process_max_fds{${AT}}`]: "100x60" },
    ...{ firesAt: 16, labels: { ...ON, job: "sluice" }, quietAt: 13 },
  },
  SluiceCallersShed: {
    series: { [`sluice_callers_shed_total{${AT}}`]: "0x9 1x50" },
    ...{ firesAt: 11, labels: { ...ON, job: "sluice" }, quietAt: 9 },
  },
  SluiceAuditRecordsLost: {
    series: { [`sluice_audit_records_total{${AT},result="lost"}`]: "0x9 1x50" },
    ...{ firesAt: 11, labels: { ...ON, job: "sluice", result: "lost" }, quietAt: 9 },
  },
  SluiceChangesWait: {
    series: { [`sluice_upstream_changes_waiting{${AT},upstream="u"}`]: "0x9 1x120" },
    ...{ firesAt: 72, labels: upstream, quietAt: 60 },
  },
  SluiceLoginsGuessed: {
    series: { [`sluice_logins_total{${AT},outcome="failure"}`]: "0x9 0+20x50" },
    ...{ firesAt: 14, labels: ON, quietAt: 10 },
  },
};

interface Rule {
  readonly alert: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

/** A label that the alert does not have leaves a gap in the sentence. */
function filledIn(annotations: Rule["annotations"], labels: Case["labels"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations).map(([name, text]) => [
      name,
      text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label) => labels[label]!),
    ]),
  );
}

Deno.test({
  name: "every alert rule fires when it should, and not before",
  ignore: canLeaveOut("prometheus"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const { code, out } = await runCli(["metrics", "alerts"], { cwd: folder });
    assertEquals(code, 0);
    const { groups } = parse(out) as { groups: { rules: Rule[] }[] };
    const rules = groups.flatMap((group) => group.rules);
    assertEquals(rules.map(({ alert }) => alert).toSorted(), Object.keys(CASES).toSorted());
    try {
      await Deno.writeTextFile(`${folder}/rules.yml`, out);
      const tests = rules.map(({ alert, labels: { severity }, annotations }) => {
        const { series, firesAt, labels, quietAt } = CASES[alert]!;
        const fired = { exp_labels: { severity, ...labels }, exp_annotations: filledIn(annotations, labels) };
        return {
          interval: "1m",
          input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
          alert_rule_test: [
            { eval_time: `${quietAt}m`, alertname: alert, exp_alerts: [] },
            { eval_time: `${firesAt}m`, alertname: alert, exp_alerts: [fired] },
          ],
        };
      });
      // JSON is YAML.
      await Deno.writeTextFile(
        `${folder}/tests.yml`,
        JSON.stringify({ rule_files: ["rules.yml"], evaluation_interval: "1m", tests }),
      );
      const { success, stdout, stderr } = await new Deno.Command(findProgram("promtool")!, {
        args: ["test", "rules", "tests.yml"],
        cwd: folder,
      }).output();
      assert(success, [stdout, stderr].map((text) => new TextDecoder().decode(text)).join(""));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
