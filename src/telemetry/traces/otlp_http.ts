// Posts spans to an OTLP receiver over HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp). `fetch` is used in place of the clients
// for upstreams: the receiver is the operator's, so that neither the egress guard nor the limits of upstreams apply.
import { reasonOf } from "../../base/errors.ts";
import { type Batch, encodeRequest } from "./otlp.ts";

/** The second is the whole address, and counts if both are set. */
export type UrlSetting = "OTEL_EXPORTER_OTLP_ENDPOINT" | "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

export interface OtlpHttpOptions {
  /** The whole address, ending in /v1/traces where the specification says so. */
  readonly url: string;
  /** The setting that has given it. */
  readonly urlSetting: UrlSetting;
  /** OTEL_EXPORTER_OTLP_HEADERS; never logged. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly timeoutMs: number;
  /** OTEL_EXPORTER_OTLP_COMPRESSION=gzip */
  readonly compresses: boolean;
  /** PEM text; undefined: the system's authorities alone. */
  readonly authorities: string | undefined;
  /** What describes this process. */
  readonly resource: Readonly<Record<string, string>>;
  readonly version: string;
}

/** How a batch was taken. */
export interface Posted {
  /** Spans that the receiver has refused for good. */
  readonly refused: number;
  readonly why: string;
}

/** Statuses after which a batch is sent again; after any other failure it is given up. */
const PASSING: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

/** A receiver answers with a few bytes. More of an answer is not read. */
const MAX_ANSWER_BYTES = 64 * 1024;

export class OtlpHttp {
  readonly #options: OtlpHttpOptions;
  readonly #client: Deno.HttpClient | undefined;
  readonly #headers: Headers;

  constructor(options: OtlpHttpOptions) {
    this.#options = options;
    const { authorities, compresses, headers, version } = options;
    this.#client = authorities === undefined ? undefined : Deno.createHttpClient({ caCerts: [authorities] });
    this.#headers = new Headers(headers.map(([name, value]) => [name, value]));
    this.#headers.set("content-type", "application/x-protobuf");
    this.#headers.set("user-agent", `sluice/${version}`);
    if (compresses) this.#headers.set("content-encoding", "gzip");
  }

  /** @throws {Error} a failure that may pass; it names the receiver without its path */
  async post(batch: Batch): Promise<Posted> {
    const { count } = batch;
    const { url, urlSetting, compresses, timeoutMs } = this.#options;
    const body = encodeRequest(this.#options, batch);
    const { host } = new URL(url);
    const signal = AbortSignal.timeout(timeoutMs);
    let response: Response;
    try {
      response = await fetch(url, {
        method: "POST",
        headers: this.#headers,
        body: compresses ? await gzipped(body) : body,
        redirect: "manual",
        signal,
        ...(this.#client === undefined ? {} : { client: this.#client }),
      });
    } catch (error) {
      throw new Error(
        signal.aborted ? `${host} did not answer in ${timeoutMs} ms` : `${host}: ${whyOf(error, urlSetting)}`,
      );
    }
    const { status } = response;
    const answer = await beginningOf(response);
    if (PASSING.has(status)) throw new Error(`${host} answered HTTP ${status}`);
    if (status < 200 || status > 299) {
      return {
        refused: count,
        why: `${host} answered HTTP ${status}: ${hintFor(status, urlSetting)}`,
      };
    }
    const { refused, why } = partialSuccessIn(answer);
    return { refused: Math.min(refused, count), why: `${host} refused spans: ${why}` };
  }

  close(): void {
    this.#client?.close();
  }
}

function hintFor(status: number, urlSetting: UrlSetting): string {
  switch (status) {
    case 401:
    case 403:
      return "see OTEL_EXPORTER_OTLP_HEADERS";
    case 404:
      return `see ${urlSetting}, to which ${
        urlSetting === "OTEL_EXPORTER_OTLP_ENDPOINT" ? "/v1/traces is added" : "nothing is added"
      }`;
    case 405:
      return `see ${urlSetting}`;
    case 415:
      return "it does not take OTLP as protobuf";
    default:
      return "it refuses the spans";
  }
}

/** `fetch` says the whole URL in its message, which may hold a secret; its cause has the reason alone. */
function whyOf(error: unknown, urlSetting: UrlSetting): string {
  const cause = error instanceof Error && error.cause !== undefined ? reasonOf(error.cause) : reasonOf(error);
  const words = cause.replaceAll(/\(https?:\/\/[^)]*\)|https?:\/\/\S+/g, "").replace(
    /^.*client error \(\w+\): /s,
    "",
  ).trim();
  const remedy = `see ${urlSetting}`;
  if (/connection refused/i.test(words)) return `nothing listens there (connection refused): ${remedy}`;
  if (/dns error/i.test(words)) return `the host name cannot be resolved: ${remedy}`;
  return words.replace(/ \(os error \d+\)/, "");
}

async function gzipped(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** Reads an answer up to MAX_ANSWER_BYTES. Never rejects: the spans have arrived, whatever happens to the answer. */
async function beginningOf({ body }: Response): Promise<Uint8Array> {
  const reader = body?.getReader();
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    while (reader !== undefined && length < MAX_ANSWER_BYTES) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      length += value.length;
    }
  } catch {
    // It broke off, or took too long.
  }
  await reader?.cancel().catch(() => {});
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Reads the `partial_success` of an ExportTraceServiceResponse. Bytes that are none mean that nothing was refused. */
function partialSuccessIn(answer: Uint8Array): Posted {
  const success = fieldsOf(answer).get(1);
  const fields = success instanceof Uint8Array ? fieldsOf(success) : new Map();
  const refused = fields.get(1);
  const why = fields.get(2);
  return {
    refused: typeof refused === "number" ? refused : 0,
    why: why instanceof Uint8Array ? new TextDecoder().decode(why.subarray(0, 200)) : "",
  };
}

/** The varints and bytes of a protobuf message by field. Ends at whatever it does not know. */
function fieldsOf(bytes: Uint8Array): Map<number, number | Uint8Array> {
  const fields = new Map<number, number | Uint8Array>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; at < bytes.length; factor *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) break;
    }
    return value;
  };
  while (at < bytes.length) {
    const tag = varint();
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === 0) fields.set(field, varint());
    else if (wire === 2) {
      const length = varint();
      fields.set(field, bytes.subarray(at, at + length));
      at += length;
    } else break;
  }
  return fields;
}
