// `sluice doctor --upstream URL`.
import { isIP } from "node:net";
import { readAuthorities } from "../../../base/authorities.ts";
import { loadProcessConfig } from "../../../config/load.ts";
import type { DoctorArgs } from "../../commands/fitness_commands.ts";
import { bare } from "../../../base/egress/url_parts.ts";
import { exitCodeOfSteps, upstreamJson, upstreamText } from "./upstream_report.ts";
import { examineUpstream } from "./upstream_steps.ts";

/** @returns the exit code: 0 it works, 1 something needs attention, 2 it does not work. @throws {SluiceError} SETTINGS_INVALID */
export async function doctorUpstream(
  { url, headers, ca, json }: NonNullable<DoctorArgs["upstream"]> & Pick<DoctorArgs, "json">,
): Promise<number> {
  const { config } = loadProcessConfig({ dev: false, overrides: {} });
  const target = {
    url: new URL(url),
    headers: headers.map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()] as const;
    }),
    caCertificate: ca === null ? null : readAuthorities("--ca", ca),
  };
  const { hostname } = target.url;
  // An address says nothing of what is there.
  const isName = isIP(bare(hostname)) === 0 && hostname !== "localhost";
  const name = isName ? hostname.split(".")[0]! : "upstream";
  const report = await examineUpstream(target, config);
  console.log(
    json ? JSON.stringify(upstreamJson(report, target, name), null, 2) : upstreamText(report, target, name),
  );
  return exitCodeOfSteps(report.steps);
}
