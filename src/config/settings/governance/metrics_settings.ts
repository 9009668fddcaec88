// Settings of the metrics.
import { SECRET } from "../secret_quality.ts";
import { bool, int, seconds, setting } from "../setting.ts";

export const METRICS_SETTINGS = [
  setting({
    name: "METRICS_MAX_NAMES",
    kind: int({ min: 1, max: 10_000 }),
    default: "500",
    scope: "process",
    reloadable: true,
    state: "active",
    doc:
      "Upstreams, and tools, that have series of their own in the metrics. Those that come later are counted together, as other. " +
      "A tool has up to 5 series.",
  }),
  setting({
    name: "DB_METRICS_RECORDING_ENABLED",
    kind: bool(),
    default: "true",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "Record in the database how often tools, resources, prompts, virtual servers and upstreams are executed. `/metrics` and the " +
      "field `metrics` of entities show it.",
  }),
  setting({
    name: "METRICS_BUFFER_FLUSH_INTERVAL",
    kind: seconds({ min: 0.1, max: 3600 }),
    default: "5.0",
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "Time between two writes of executions to the database. A process that is killed loses those of this time.",
  }),
  setting({
    name: "METRICS_RETENTION_DAYS",
    kind: int({ min: 1, max: 365 }),
    default: "7",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc: "Days for which executions are kept by hour.",
  }),
  setting({
    name: "METRICS_ROLLUP_RETENTION_DAYS",
    kind: int({ min: 1, max: 3650 }),
    default: "365",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc: "Days for which executions are kept by day.",
  }),
  setting({
    name: "METRICS_TOKEN",
    kind: SECRET,
    default: null,
    scope: "process",
    reloadable: true,
    secret: "value",
    state: "active",
    doc:
      "A secret for scrapers: `Authorization: Bearer` and this value read /metrics/prometheus, and nothing else. It does not " +
      "expire. Not set: scrapers need a token with the permission admin.metrics.",
  }),
];
