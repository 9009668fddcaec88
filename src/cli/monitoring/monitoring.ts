// Room `monitoring`: files for Prometheus and Grafana. This file is `sluice metrics alerts` and `sluice metrics dashboard`.

/** Prints alert rules, YAML for Prometheus. */
export async function metricsAlerts(): Promise<number> {
  return printed((await import("./alerts.yml", { with: { type: "text" } })).default);
}

/** Prints a dashboard, JSON for Grafana. */
export async function metricsDashboard(): Promise<number> {
  return printed((await import("./dashboard.json", { with: { type: "text" } })).default);
}

function printed(text: string): number {
  console.log(text.trimEnd());
  return 0;
}
