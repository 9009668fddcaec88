import { assertEquals } from "@std/assert";
import { loadConfig } from "./load.ts";
import { traceOptionsOf } from "./trace_options.ts";

function load(environment: Record<string, string>) {
  return loadConfig({ environment, dotEnv: null, dev: false, overrides: {}, cores: 2 }).config;
}

/** @returns the mistakes of settings under which the gateway does not start */
function mistakesOf(environment: Record<string, string>): readonly string[] {
  try {
    load({ OTEL_ENABLE_OBSERVABILITY: "true", ...environment });
    return [];
  } catch (error) {
    return (error as { data: string[] }).data;
  }
}

Deno.test("traceOptionsOf() adds the path to the base URL, and nothing to a whole one", () => {
  const optionsOf = (environment: Record<string, string>) =>
    traceOptionsOf(load({ OTEL_ENABLE_OBSERVABILITY: "true", ...environment }))!.options;
  const urlOf = (environment: Record<string, string>) => optionsOf(environment).url;
  assertEquals(urlOf({}), "http://localhost:4318/v1/traces");
  assertEquals(urlOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "https://c/otlp/" }), "https://c/otlp/v1/traces");
  assertEquals(urlOf({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://c/in?k=v" }), "https://c/in?k=v");
  assertEquals(urlOf({ OTEL_TRACES_EXPORTER: "none" }), null);
  const both = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://a", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://b" };
  assertEquals([optionsOf({}), optionsOf(both)].map(({ urlSetting }) => urlSetting), [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
  ]);
});

Deno.test("traceOptionsOf() describes the gateway by the lists of OpenTelemetry's form", () => {
  const { options } = traceOptionsOf(load({
    OTEL_ENABLE_OBSERVABILITY: "true",
    OTEL_RESOURCE_ATTRIBUTES: "service.name=a, deployment.environment.name=a%2Cb",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20t,x-scope=one",
  }))!;
  assertEquals(options.resource, { "service.name": "a", "deployment.environment.name": "a,b" });
  assertEquals(options.headers, [["authorization", "Bearer t"], ["x-scope", "one"]]);
});

Deno.test("Settings of traces that cannot be used stop the start if traces are on, and do nothing otherwise", () => {
  const bad = {
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
    OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317",
    OTEL_EXPORTER_OTLP_HEADERS: "s3cret",
    OTEL_EXPORTER_OTLP_COMPRESSION: "zstd",
    OTEL_TRACES_EXPORTER: "zipkin",
    OTEL_TRACES_SAMPLER: "jaeger_remote",
    OTEL_RESOURCE_ATTRIBUTES: "a=%zz",
  };
  const mistakes = mistakesOf(bad);
  assertEquals(mistakes.map((mistake) => mistake.split(/[=:]/)[0]).sort(), Object.keys(bad).sort());
  assertEquals(mistakes.some((mistake) => mistake.includes("s3cret")), false);
  assertEquals(mistakesOf({ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "2" }).length, 1);
  assertEquals(mistakesOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://u:p@c" }).length, 1);
  assertEquals(traceOptionsOf(load(bad)), null);
});

Deno.test("Names of OpenTelemetry that are no settings here stop no start", () => {
  const names = [
    "OTEL_METRICS_EXPORTER",
    "OTEL_LOGS_EXPORTER",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_PROPAGATORS",
    "OTEL_SDK_DISABLED",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_NODE_RESOURCE_DETECTORS",
    "OTEL_EXPORTER_OTLP_INSECURE",
  ];
  assertEquals(mistakesOf(Object.fromEntries(names.map((name) => [name, "x"]))), []);
});
