// Settings of the metrics.
import { SECRET } from "../secret_quality.ts";
import { int, setting } from "../setting.ts";

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
