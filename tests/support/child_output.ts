// The lines that a child process writes, collected while it runs.

/** Collects a stream's lines. `ended` resolves when the stream has ended. */
export class ChildOutput {
  readonly lines: string[] = [];
  readonly ended: Promise<void>;

  constructor(...streams: ReadableStream<Uint8Array>[]) {
    this.ended = Promise.all(streams.map((stream) => this.#collect(stream))).then(() => {});
  }

  /** The last lines, for an error's text. */
  tail(count = 30): string {
    return this.lines.slice(-count).join("\n");
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.lines.push(...lines);
    }
    if (rest !== "") this.lines.push(rest);
  }
}
