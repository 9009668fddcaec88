// kubernetes.yaml: the gateway's Deployment with its settings, Service, autoscaler and disruption budget.
import { PROCESSOR_SHARE } from "../demand.ts";
import type { Plan } from "../tuning_plan.ts";
import { databaseUrl } from "./env_file.ts";
import { comment, fileOf, type PlannedFile } from "./planned_lines.ts";

/** How long nodes take to send no new connections to a pod that ends. */
const FORGET_SECONDS = 5;

export function kubernetesFile(plan: Plan): PlannedFile[] {
  const { surroundings: { database, redis } } = plan;
  // Pods share no file: a SQLite database would be another one in each.
  if (database === "sqlite") return [];
  const host = database === "pgbouncer" ? "pgbouncer" : "postgres";
  return [{
    name: "kubernetes.yaml",
    text: fileOf(
      comment(
        `The gateway in Kubernetes. It expects Services ${
          [host, ...(redis ? ["redis"] : [])].join(" and ")
        }, and the secrets: kubectl ` +
          "create secret generic sluice --from-env-file=secrets.env. Limits of open files are those of the container runtime.",
      ),
      ["apiVersion: v1", "kind: ConfigMap", "metadata: { name: sluice }", "data:"],
      plan.settings.map(({ name, value }) => `  ${name}: ${JSON.stringify(value)}`),
      redis ? ["  REDIS_URL: redis://redis:6379/0"] : [],
      ["---", ...deployment(plan, host)],
      ["---", ...service()],
      ["---", ...autoscaler(plan)],
      ["---", ...budget()],
    ),
    use: "kubectl apply -f",
  }];
}

function deployment(plan: Plan, host: string): string[] {
  const { load: { replicas, vcpu, ramMb }, stopSeconds } = plan;
  return [
    "apiVersion: apps/v1",
    "kind: Deployment",
    "metadata: { name: sluice, labels: { app: sluice } }",
    "spec:",
    `  replicas: ${replicas}`,
    "  selector: { matchLabels: { app: sluice } }",
    "  strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }",
    "  template:",
    "    metadata: { labels: { app: sluice } }",
    "    spec:",
    `      terminationGracePeriodSeconds: ${stopSeconds + FORGET_SECONDS}`,
    "      automountServiceAccountToken: false",
    "      securityContext:",
    "        { runAsNonRoot: true, runAsUser: 10001, fsGroup: 10001, seccompProfile: { type: RuntimeDefault } }",
    ...comment("A node that fails should not take all replicas along.").map((line) => `      ${line}`),
    "      topologySpreadConstraints:",
    "        - maxSkew: 1",
    "          topologyKey: kubernetes.io/hostname",
    "          whenUnsatisfiable: ScheduleAnyway",
    "          labelSelector: { matchLabels: { app: sluice } }",
    "      containers:",
    "        - name: sluice",
    ...comment("Of the Dockerfile. Put the name in your registry here.").map((line) => `          ${line}`),
    "          image: sluice",
    "          ports: [{ containerPort: 4444 }]",
    "          envFrom:",
    "            - configMapRef: { name: sluice }",
    "            - secretRef: { name: sluice }",
    "          env:",
    "            # Wins over the address of this machine in secrets.env.",
    "            - name: POSTGRES_PASSWORD",
    "              valueFrom: { secretKeyRef: { name: sluice, key: POSTGRES_PASSWORD } }",
    "            - name: DATABASE_URL",
    `              value: ${JSON.stringify(databaseUrl(plan, "$(POSTGRES_PASSWORD)", host))}`,
    "          resources:",
    `            requests: { cpu: "${vcpu}", memory: ${ramMb}Mi }`,
    `            limits: { memory: ${ramMb}Mi }`,
    ...comment("Services forget a pod some seconds after its end has begun. It takes connections until then.")
      .map((line) => `          ${line}`),
    `          lifecycle: { preStop: { exec: { command: [sleep, "${FORGET_SECONDS}"] } } }`,
    "          readinessProbe: { httpGet: { path: /ready, port: 4444 }, periodSeconds: 5 }",
    "          livenessProbe: { httpGet: { path: /health, port: 4444 }, periodSeconds: 10, failureThreshold: 6 }",
    "          startupProbe: { httpGet: { path: /ready, port: 4444 }, periodSeconds: 2, failureThreshold: 60 }",
    "          securityContext:",
    "            { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }",
    "          volumeMounts: [{ name: data, mountPath: /data }, { name: tmp, mountPath: /tmp }]",
    "      volumes: [{ name: data, emptyDir: {} }, { name: tmp, emptyDir: {} }]",
  ];
}

function service(): string[] {
  return [
    "apiVersion: v1",
    "kind: Service",
    "metadata: { name: sluice }",
    "spec:",
    "  selector: { app: sluice }",
    "  ports: [{ port: 4444, targetPort: 4444 }]",
  ];
}

function autoscaler({ load: { replicas } }: Plan): string[] {
  return [
    "apiVersion: autoscaling/v2",
    "kind: HorizontalPodAutoscaler",
    "metadata: { name: sluice }",
    "spec:",
    "  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: sluice }",
    `  minReplicas: ${replicas}`,
    ...comment("Connections to the database are planned for minReplicas, twice."),
    `  maxReplicas: ${2 * replicas}`,
    "  metrics:",
    "    - type: Resource",
    `      resource: { name: cpu, target: { type: Utilization, averageUtilization: ${
      PROCESSOR_SHARE * 100
    } } }`,
  ];
}

function budget(): string[] {
  return [
    "apiVersion: policy/v1",
    "kind: PodDisruptionBudget",
    "metadata: { name: sluice }",
    "spec:",
    "  maxUnavailable: 1",
    "  selector: { matchLabels: { app: sluice } }",
  ];
}
