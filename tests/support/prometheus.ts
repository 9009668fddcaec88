// Prometheus as a process, which scrapes one gateway and evaluates rules.
import { freePort } from "./free_port.ts";
import { findProgram } from "./programs.ts";
import { waitFor } from "./wait_for.ts";

export interface PrometheusOptions {
  /** `host:port` of the gateway. */
  readonly target: string;
  /** The METRICS_TOKEN of the gateway. */
  readonly token: string;
  /** The text of a file of rules. */
  readonly rules: string;
}

export class Prometheus implements AsyncDisposable {
  readonly #url: string;
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;

  private constructor(url: string, folder: string, child: Deno.ChildProcess) {
    this.#url = url;
    this.#folder = folder;
    this.#child = child;
  }

  static async start({ target, token, rules }: PrometheusOptions): Promise<Prometheus> {
    const folder = await Deno.makeTempDir();
    const port = freePort();
    await Deno.writeTextFile(`${folder}/rules.yml`, rules);
    // JSON is YAML.
    const config = {
      global: { scrape_interval: "500ms", scrape_timeout: "500ms", evaluation_interval: "500ms" },
      rule_files: ["rules.yml"],
      scrape_configs: [{
        job_name: "sluice",
        metrics_path: "/metrics/prometheus",
        authorization: { credentials: token },
        static_configs: [{ targets: [target] }],
      }],
    };
    await Deno.writeTextFile(`${folder}/prometheus.yml`, JSON.stringify(config));
    const child = new Deno.Command(findProgram("prometheus")!, {
      args: [
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        "--enable-feature=exemplar-storage",
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`, folder, child);
    await waitFor(() => fetch(`${prometheus.#url}/-/ready`).then((response) => response.text(), () => null), {
      what: "Prometheus",
      deadlineMs: 30_000,
    });
    return prometheus;
  }

  /** @returns `data` of the answer. @throws {Error} with Prometheus' words */
  // deno-lint-ignore no-explicit-any -- answers of every shape; what is read is asserted
  async get(path: string, query: Readonly<Record<string, string>> = {}): Promise<any> {
    const response = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(query)}`);
    const { status, data, error } = await response.json();
    if (status !== "success") throw new Error(`${JSON.stringify(query)}: ${error}`);
    return data;
  }

  /** The values of an expression now. */
  async values(query: string): Promise<number[]> {
    const { result } = await this.get("query", { query });
    return result.map(({ value }: { value: [number, string] }) => Number(value[1]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}
