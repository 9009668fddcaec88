// redis.conf.
import type { Plan } from "../tuning_plan.ts";
import { comment, figureLines, fileOf, type PlannedFile } from "./planned_lines.ts";

export function redisFile({ redis, files }: Plan): PlannedFile[] {
  if (redis.length === 0) return [];
  return [{
    name: "redis-sluice.conf",
    text: fileOf(
      comment(
        "Redis for the gateway: `include` this file at the end of redis.conf. Only the gateway's machines may reach the port. " +
          `Open files: LimitNOFILE=${files.redis} (systemctl edit redis-server), the guide's, or maxclients + 100.`,
      ),
      figureLines(redis, " "),
    ),
    use: "/etc/redis/",
  }];
}
