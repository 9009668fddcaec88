// compose.yaml: replicas of the gateway, its servers, and nginx.
import type { Figure } from "../figure.ts";
import type { Plan } from "../tuning_plan.ts";
import { databaseUrl } from "./env_file.ts";
import { comment, fileOf, type PlannedFile } from "./planned_lines.ts";
import { nginxInCompose } from "./nginx_file.ts";

export function composeFile(plan: Plan): PlannedFile {
  const { surroundings: { database, redis } } = plan;
  const hasDatabase = database !== "sqlite";
  return {
    name: "compose.yaml",
    text: fileOf(
      comment(
        `The gateway in containers. Start it: docker compose ${
          hasDatabase ? "--env-file secrets.env " : ""
        }up -d. The kernel's ` +
          "settings belong to the host: 99-sluice.conf.",
      ),
      ["services:"],
      gateway(plan),
      nginx(plan),
      ...(hasDatabase ? [postgres(plan)] : []),
      ...(database === "pgbouncer" ? [pgbouncer(plan)] : []),
      ...(redis ? [redisService(plan)] : []),
      ["configs:", "  nginx:", "    content: |"],
      // Compose replaces $NAME.
      nginxInCompose(plan).trimEnd().replaceAll("$", "$$$$").split("\n").map((line) => `      ${line}`),
      ["volumes:", `  ${hasDatabase ? "postgres" : "gateway"}: {}`],
    ),
    use: "docker compose",
  };
}

function gateway(plan: Plan): string[] {
  const { load, files, surroundings: { database, redis }, stopSeconds } = plan;
  const hasDatabase = database !== "sqlite";
  const servers = [
    ...(hasDatabase ? [database === "pgbouncer" ? "pgbouncer" : "postgres"] : []),
    ...(redis ? ["redis"] : []),
  ];
  const url = databaseUrl(plan, "${POSTGRES_PASSWORD:?in secrets.env}", servers[0]);
  const environment = [
    ...(hasDatabase
      ? [
        `      DATABASE_URL: ${JSON.stringify(url)}`,
        ...["JWT_SECRET_KEY", "AUTH_ENCRYPTION_SECRET"].map((name) =>
          `      ${name}: "\${${name}:?in secrets.env}"`
        ),
      ]
      : []),
    ...(redis ? ["      REDIS_URL: redis://redis:6379/0"] : []),
    ...comment(
      "Networks that Docker gives to projects: nginx comes from there, and no port of the gateway is published.",
    ).map((line) => `      ${line}`),
    "      TRUSTED_PROXY_NETWORKS: 172.16.0.0/12,192.168.0.0/16",
  ];
  return [
    "  gateway:",
    ...comment(
      "Of the Dockerfile: docker build -t sluice . With a name in your registry, leave pull_policy out.",
    ).map((line) => `    ${line}`),
    "    image: sluice",
    "    pull_policy: never",
    "    init: true",
    "    # The image has a volume at /data. Nothing else is written.",
    "    read_only: true",
    "    tmpfs: [/tmp]",
    '    security_opt: ["no-new-privileges:true"]',
    "    cap_drop: [ALL]",
    "    env_file: [.env]",
    "    environment:",
    ...environment,
    ...(hasDatabase ? [] : ['    volumes: ["gateway:/data"]']),
    ...(servers.length === 0 ? [] : [`    depends_on: [${servers.join(", ")}]`]),
    "    restart: unless-stopped",
    `    stop_grace_period: ${stopSeconds}s`,
    ...ulimits(files.gateway),
    "    deploy:",
    `      replicas: ${load.replicas}`,
    "      resources:",
    "        limits:",
    `          cpus: "${load.vcpu}"`,
    `          memory: ${load.ramMb}M`,
  ];
}

function nginx({ files }: Plan): string[] {
  return [
    "  nginx:",
    "    image: nginx:1",
    "    depends_on: [gateway]",
    '    ports: ["8080:8080"]',
    "    restart: unless-stopped",
    "    configs: [{ source: nginx, target: /etc/nginx/nginx.conf }]",
    ...ulimits(files.nginx),
  ];
}

function postgres({ postgres: figures, files }: Plan): string[] {
  return [
    "  postgres:",
    "    image: postgres:17",
    "    restart: unless-stopped",
    "    environment:",
    "      POSTGRES_USER: sluice",
    '      POSTGRES_PASSWORD: "${POSTGRES_PASSWORD:?in secrets.env}"',
    "    command:",
    ...["postgres", ...figures.flatMap(({ name, value }) => ["-c", `${name}=${value}`])].map(listItem),
    '    volumes: ["postgres:/var/lib/postgresql/data"]',
    ...ulimits(files.postgres),
  ];
}

/** The image makes pgbouncer.ini of variables with its settings' names. */
function pgbouncer({ pgbouncer: figures, files }: Plan): string[] {
  return [
    "  pgbouncer:",
    "    image: edoburu/pgbouncer:v1.25.2-p0",
    "    depends_on: [postgres]",
    "    restart: unless-stopped",
    "    environment:",
    '      DATABASE_URL: "postgresql://sluice:${POSTGRES_PASSWORD:?in secrets.env}@postgres:5432/sluice"',
    '      LISTEN_PORT: "6432"',
    "      AUTH_TYPE: scram-sha-256",
    "      STATS_USERS: sluice",
    ...figures.map(({ name, value }) => `      ${name.toUpperCase()}: ${JSON.stringify(value)}`),
    ...ulimits(files.pgbouncer),
  ];
}

function redisService({ redis: figures, files }: Plan): string[] {
  const words = figures.flatMap(({ name, value }: Figure) => [`--${name}`, value === '""' ? "" : value]);
  return [
    "  redis:",
    "    image: redis:7",
    "    restart: unless-stopped",
    "    command:",
    ...["redis-server", ...words].map(listItem),
    ...ulimits(files.redis),
  ];
}

function ulimits(files: number): string[] {
  return ["    ulimits:", "      nofile:", `        soft: ${files}`, `        hard: ${files}`];
}

function listItem(word: string): string {
  return `      - ${JSON.stringify(word)}`;
}
