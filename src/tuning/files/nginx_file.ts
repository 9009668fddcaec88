// nginx.conf: the proxy in front of the replicas.
import type { Plan } from "../tuning_plan.ts";
import { comment, fileOf, type PlannedFile } from "./planned_lines.ts";

export function nginxFile(plan: Plan): PlannedFile {
  const upstream = [
    "    server 127.0.0.1:4444;",
    ...(plan.load.replicas > 1 ? ["    # A line for each replica; any of them serves any session."] : []),
    ...indented(
      4,
      comment(
        "A gateway on another machine believes the headers below if its TRUSTED_PROXY_NETWORKS has this machine.",
      ),
    ),
  ];
  const text = nginxText(plan, { upstream, http: [], client: "$proxy_add_x_forwarded_for" });
  return { name: "nginx.conf", text, use: "/etc/nginx/nginx.conf" };
}

/** Docker's own DNS server, the same in every container: https://docs.docker.com/engine/network/#dns-services */
const DOCKER_DNS = "127.0.0.11";

/** nginx in a container of Compose. The address of a container changes with each start, and their number by `--scale`. */
export function nginxInCompose(plan: Plan): string {
  return nginxText(plan, {
    http: indented(
      2,
      comment(
        "nginx follows the replicas as they come and go. It needs version 1.27.3 or later for `resolve`.",
      ),
      [`resolver ${DOCKER_DNS} valid=5s;`],
    ),
    upstream: ["    zone gateways 256k;", "    server gateway:4444 resolve;"],
    // Nobody stands in front: what a client writes into the header does not count.
    client: "$remote_addr",
  });
}

/** Lines that depend on where nginx runs: of the http block, and of the upstream's. */
interface Place {
  readonly http: readonly string[];
  readonly upstream: readonly string[];
  /** The value of X-Forwarded-For. */
  readonly client: string;
}

function nginxText(
  { files, proxyConnections, load, settings }: Plan,
  { http, upstream, client }: Place,
): string {
  // Each worker of nginx may get all connections: it has one to the client and one to the gateway.
  const toolTimeout = Number(settings.find(({ name }) => name === "TOOL_TIMEOUT")?.value);
  const connections = Math.max(1_024, 2 * proxyConnections);
  return fileOf(
    comment(
      `nginx in front of ${
        load.replicas === 1 ? "the gateway" : `${load.replicas} replicas`
      }. TLS belongs here: listen 443 ssl.`,
    ),
    [
      "worker_processes auto;",
      ...comment(`max(the guide's 65536, worker_connections + 100).`),
      `worker_rlimit_nofile ${files.nginx};`,
      "events {",
      ...indented(
        2,
        comment(
          `2 x ${proxyConnections}: a connection and an event stream of each user, each with one to a gateway.`,
        ),
        [`worker_connections ${connections};`],
      ),
      "}",
      "http {",
      ...http,
      "  upstream gateways {",
      ...upstream,
      "    keepalive 256;",
      "  }",
      "  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }",
      "  server {",
      "    listen 8080 backlog=4096;",
      "    location /internal/ { return 404; }",
      "    location / {",
      "      proxy_pass http://gateways;",
      "      proxy_http_version 1.1;",
      ...indented(6, comment("With its port: the gateway compares it with the Origin of a form.")),
      "      proxy_set_header Host $http_host;",
      `      proxy_set_header X-Forwarded-For ${client};`,
      "      proxy_set_header X-Forwarded-Proto $scheme;",
      "      proxy_set_header Upgrade $http_upgrade;",
      "      proxy_set_header Connection $connection_upgrade;",
      ...indented(6, comment("Event streams pass at once. The gateway caches reads of the registry itself.")),
      "      proxy_buffering off;",
      ...indented(
        6,
        comment(`TOOL_TIMEOUT ${toolTimeout} + 30 s. SSE_KEEPALIVE_INTERVAL and REPLICA_TTL are below it.`),
      ),
      `      proxy_read_timeout ${toolTimeout + 30}s;`,
      "      client_max_body_size 4m;",
      "    }",
      "  }",
      "}",
    ],
  );
}

function indented(columns: number, ...parts: readonly (readonly string[])[]): string[] {
  return parts.flat().map((line) => " ".repeat(columns) + line);
}
