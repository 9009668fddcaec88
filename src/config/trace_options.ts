// Reads the settings of traces together. They are checked only if traces are on: OTEL_* names may be meant for other programs.
import type { Config } from "./schema.ts";
import type { UrlSetting } from "../telemetry/traces/otlp_http.ts";
import { type SamplerName, SAMPLERS } from "../telemetry/traces/sampler.ts";

export interface TraceOptions {
  /** null: OTEL_TRACES_EXPORTER=none. */
  readonly url: string | null;
  /** The setting that has given it. */
  readonly urlSetting: UrlSetting;
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly timeoutMs: number;
  readonly compresses: boolean;
  readonly resource: Readonly<Record<string, string>>;
  readonly sampler: SamplerName;
  /** 0 to 1. */
  readonly ratio: number;
  readonly delayMs: number;
  readonly maxWaiting: number;
  readonly maxBatch: number;
}

type TraceConfig = Pick<
  Config,
  | "otelEnableObservability"
  | "otelTracesExporter"
  | "otelExporterOtlpEndpoint"
  | "otelExporterOtlpTracesEndpoint"
  | "otelExporterOtlpProtocol"
  | "otelExporterOtlpHeaders"
  | "otelExporterOtlpTimeoutMs"
  | "otelExporterOtlpCompression"
  | "otelServiceName"
  | "otelResourceAttributes"
  | "otelTracesSampler"
  | "otelTracesSamplerArg"
  | "otelBspScheduleDelayMs"
  | "otelBspMaxQueueSize"
  | "otelBspMaxExportBatchSize"
>;

/** @returns null: traces are off. `mistakes` has a sentence for each setting that cannot be used, without the values of secrets */
export function traceOptionsOf(
  config: TraceConfig,
): { readonly options: TraceOptions; readonly mistakes: readonly string[] } | null {
  if (!config.otelEnableObservability) return null;
  const mistakes: string[] = [];
  const refuse = (name: string, accepts: string, shown?: string) =>
    void mistakes.push(`${shown === undefined ? name : `${name}=${shown}`}: must be ${accepts}`);
  const one = <W extends string>(name: string, given: string, words: readonly W[], more = ""): W => {
    const found = words.find((word) => word === given.trim().toLowerCase());
    if (found === undefined) {
      refuse(name, `${words.length === 1 ? "" : "one of "}${words.join(", ")}${more}`, given);
    }
    return found ?? words[0]!;
  };
  const pairs = (name: string, given: string | null) => {
    const read = pairsIn(given ?? "");
    if (read === null) refuse(name, "a list like `name=value,other=value` with percent-encoded values");
    return read ?? [];
  };
  const exporter = one("OTEL_TRACES_EXPORTER", config.otelTracesExporter, ["otlp", "none"]);
  one(
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    config.otelExporterOtlpProtocol,
    ["http/protobuf"],
    ", which collectors take at port 4318; gRPC is not supported",
  );
  const { otelExporterOtlpTracesEndpoint: whole, otelExporterOtlpEndpoint: base } = config;
  const urlSetting = whole === null ? "OTEL_EXPORTER_OTLP_ENDPOINT" : "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  const url = URL.parse((whole ?? base).trim());
  if (url === null || !/^https?:$/.test(url.protocol)) refuse(urlSetting, "an http or https URL");
  else if (url.username !== "" || url.password !== "") {
    refuse(urlSetting, "a URL without user and password, which OTEL_EXPORTER_OTLP_HEADERS can send");
  }
  if (url !== null && whole === null) url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/traces`;
  const headers = pairs("OTEL_EXPORTER_OTLP_HEADERS", config.otelExporterOtlpHeaders);
  if (!areHeaders(headers)) refuse("OTEL_EXPORTER_OTLP_HEADERS", "headers that HTTP can carry");
  const { otelServiceName: serviceName } = config;
  const resource = {
    "service.name": "sluice",
    ...Object.fromEntries(pairs("OTEL_RESOURCE_ATTRIBUTES", config.otelResourceAttributes)),
    ...(serviceName === null ? {} : { "service.name": serviceName }),
  };
  const sampler = one("OTEL_TRACES_SAMPLER", config.otelTracesSampler, SAMPLERS);
  const ratio = Number(config.otelTracesSamplerArg ?? 1);
  if (sampler.endsWith("traceidratio") && !(ratio >= 0 && ratio <= 1)) {
    refuse("OTEL_TRACES_SAMPLER_ARG", "a number from 0 to 1", config.otelTracesSamplerArg!);
  }
  const options: TraceOptions = {
    url: exporter === "none" || url === null ? null : url.href,
    urlSetting,
    headers,
    timeoutMs: config.otelExporterOtlpTimeoutMs,
    compresses:
      one("OTEL_EXPORTER_OTLP_COMPRESSION", config.otelExporterOtlpCompression, ["none", "gzip"]) === "gzip",
    resource,
    sampler,
    ratio,
    delayMs: config.otelBspScheduleDelayMs,
    maxWaiting: config.otelBspMaxQueueSize,
    maxBatch: config.otelBspMaxExportBatchSize,
  };
  return { options, mistakes };
}

/** The pairs of W3C baggage's form, which OpenTelemetry uses for its lists; null: the text has another form. */
function pairsIn(text: string): [name: string, value: string][] | null {
  const pairs: [string, string][] = [];
  for (const piece of text.split(",")) {
    if (piece.trim() === "") continue;
    const at = piece.indexOf("=");
    if (at < 1) return null;
    try {
      pairs.push([
        decodeURIComponent(piece.slice(0, at).trim()),
        decodeURIComponent(piece.slice(at + 1).trim()),
      ]);
    } catch {
      return null;
    }
  }
  return pairs;
}

function areHeaders(pairs: readonly (readonly [string, string])[]): boolean {
  try {
    new Headers(pairs.map(([name, value]) => [name, value]));
    return true;
  } catch {
    return false;
  }
}
