// What a machine that runs the gateway by systemd needs: the kernel's settings and the unit.
import type { Plan } from "../tuning_plan.ts";
import { comment, figureLines, fileOf, type PlannedFile } from "./planned_lines.ts";

export function sysctlFile({ sysctl }: Plan): PlannedFile {
  return {
    name: "99-sluice.conf",
    text: fileOf(
      comment("Settings of the kernel, for the host and not in containers. Apply them: sysctl --system"),
      figureLines(sysctl, " = "),
    ),
    use: "/etc/sysctl.d/99-sluice.conf",
  };
}

export function systemdFile({ files, load, surroundings, stopSeconds }: Plan): PlannedFile {
  const { database, redis } = surroundings;
  const servers = [
    ...(database === "sqlite" ? [] : ["postgresql.service"]),
    ...(database === "pgbouncer" ? ["pgbouncer.service"] : []),
    ...(redis ? ["redis-server.service"] : []),
  ];
  return {
    name: "sluice.service",
    text: fileOf([
      "[Unit]",
      "Description=Sluice MCP gateway",
      `After=${["network-online.target", ...servers].join(" ")}`,
      "Wants=network-online.target",
      "",
      "[Service]",
      "User=sluice",
      "WorkingDirectory=/var/lib/sluice",
      "StateDirectory=sluice",
      ...(database === "sqlite" ? [] : ["EnvironmentFile=/etc/sluice/secrets.env"]),
      "ExecStart=/usr/local/bin/sluice serve",
      "ExecReload=/bin/kill -HUP $MAINPID",
      "Restart=on-failure",
      ...comment(
        "Neither the gateway nor the programs of stdio upstreams get further rights, or write to /usr, /boot and /etc.",
      ),
      "NoNewPrivileges=yes",
      "ProtectSystem=full",
      ...comment("GRACEFUL_TIMEOUT + 10 s: calls under way end before systemd kills the process."),
      `TimeoutStopSec=${stopSeconds}`,
      ...comment("max(the guide's 65536, what the settings can need + 2 for each user)."),
      `LimitNOFILE=${files.gateway}`,
      ...comment("The memory that the heaps of the workers were computed for."),
      `MemoryMax=${load.ramMb}M`,
      "",
      "[Install]",
      "WantedBy=multi-user.target",
    ]),
    use: "/etc/systemd/system/sluice.service",
  };
}
