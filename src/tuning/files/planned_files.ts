// All files of a plan.
import type { Plan } from "../tuning_plan.ts";
import { composeFile } from "./compose_file.ts";
import { pgbouncerFile, postgresFile } from "./database_files.ts";
import { envFile, type PlannedSecrets, secretFiles } from "./env_file.ts";
import { kubernetesFile } from "./kubernetes_file.ts";
import type { PlannedFile } from "./planned_lines.ts";
import { sysctlFile, systemdFile } from "./machine_files.ts";
import { nginxFile } from "./nginx_file.ts";
import { redisFile } from "./redis_file.ts";

/** @param secrets null: the files with secrets are left out */
export function plannedFiles(plan: Plan, secrets: PlannedSecrets | null): PlannedFile[] {
  return [
    envFile(plan),
    ...(secrets === null ? [] : secretFiles(plan, secrets)),
    ...postgresFile(plan),
    ...pgbouncerFile(plan),
    ...redisFile(plan),
    sysctlFile(plan),
    systemdFile(plan),
    nginxFile(plan),
    composeFile(plan),
    ...kubernetesFile(plan),
  ];
}
