// A receiver of traces that reads OTLP by OpenTelemetry's own definitions: tests/programs/otlp_receiver.py.
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { ChildOutput } from "./child_output.ts";
import { endChild } from "./end_child.ts";
import { pythonProgram } from "./python_programs.ts";
import { waitFor } from "./wait_for.ts";

/** A span as a test asks for it: ids in hexadecimal digits, attributes as an object. */
export interface SeenSpan {
  readonly name: string;
  readonly kind: "INTERNAL" | "SERVER" | "CLIENT";
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: the span has none. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly isError: boolean;
  readonly links: readonly string[];
  /** Nanoseconds since the epoch. */
  readonly startedAt: bigint;
  readonly endedAt: bigint;
  readonly resource: Readonly<Record<string, string | number | boolean>>;
}

// deno-lint-ignore no-explicit-any -- JSON of protobuf
type Message = any;

export class OtlpReceiver implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;
  readonly #output: ChildOutput;
  readonly #errors: ChildOutput;

  private constructor(child: Deno.ChildProcess, output: ChildOutput, errors: ChildOutput) {
    this.#child = child;
    this.#output = output;
    this.#errors = errors;
    this.url = `http://127.0.0.1:${output.lines[0]}`;
  }

  static async start(): Promise<OtlpReceiver> {
    const child = pythonProgram("otlp_receiver.py").spawn();
    const [output, errors] = [new ChildOutput(child.stdout), new ChildOutput(child.stderr)];
    await waitFor(() => output.lines.length > 0, { what: "the port of the receiver" });
    return new OtlpReceiver(child, output, errors);
  }

  /** The requests so far: their paths, headers and messages. */
  requests(): {
    readonly path: string;
    readonly headers: Record<string, string>;
    readonly message: Message;
  }[] {
    return this.#output.lines.slice(1).map((line) => {
      const said = JSON.parse(line);
      assertEquals([said.error, said.unknown], [undefined, 0], line);
      return said;
    });
  }

  /** All bytes that have arrived, for secrets that must not be among them. */
  text(): string {
    return this.#output.lines.slice(1).join("\n");
  }

  spans(): SeenSpan[] {
    return this.requests().flatMap(({ message }) =>
      message.resourceSpans.flatMap(({ resource, scopeSpans }: Message) =>
        scopeSpans.flatMap(({ spans }: Message) => spans.map((span: Message) => seen(span, resource)))
      )
    );
  }

  /** Waits for spans, and returns all. */
  async until(found: (spans: readonly SeenSpan[]) => boolean, what: string): Promise<SeenSpan[]> {
    await waitFor(() => found(this.spans()), { what });
    return this.spans();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endChild(this.#child, "SIGKILL");
    await this.#child.stdin.close();
    await Promise.all([this.#output.ended, this.#errors.ended]);
  }
}

function seen(span: Message, resource: Message): SeenSpan {
  return {
    name: span.name,
    kind: span.kind.replace("SPAN_KIND_", ""),
    traceId: digits(span.traceId),
    spanId: digits(span.spanId),
    parentSpanId: digits(span.parentSpanId),
    traceState: span.traceState ?? "",
    attributes: attributesOf(span.attributes),
    isError: span.status?.code === "STATUS_CODE_ERROR",
    links: (span.links ?? []).map(({ spanId }: Message) => digits(spanId)),
    startedAt: BigInt(span.startTimeUnixNano),
    endedAt: BigInt(span.endTimeUnixNano),
    resource: attributesOf(resource.attributes),
  };
}

function digits(base64: string = ""): string {
  return Buffer.from(base64, "base64").toString("hex");
}

function attributesOf(list: Message[] = []): SeenSpan["attributes"] {
  return Object.fromEntries(list.map(({ key, value }) => [
    key,
    value.stringValue ?? value.boolValue ?? value.doubleValue ?? Number(value.intValue),
  ]));
}
