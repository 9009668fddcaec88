// Prometheus as a process, which scrapes one gateway and evaluates rules.
import { endChild } from "./end_child.ts";
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
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
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
    await waitFor(async () => {
      const response = await fetch(`${prometheus.#url}/-/ready`);
      await response.body?.cancel();
      return response.ok;
    }, { what: "Prometheus" });
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
    await endChild(this.#child);
    await Deno.remove(this.#folder, { recursive: true });
  }
}
