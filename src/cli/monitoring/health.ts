// `sluice health`: asks a running gateway how it is, for health checks of containers and scripts.
import type { HealthArgs } from "../commands/command_arguments.ts";
import { healthOf } from "../command_line/gateway_client.ts";

/** Prints what the gateway answers. @returns 0 if it answers 200, else 1. @throws {SluiceError} GATEWAY_UNREACHABLE */
export async function health({ url, isReady }: HealthArgs): Promise<number> {
  const { status, text } = await healthOf(url, isReady ? "/ready" : "/health");
  console.log(text);
  return status === 200 ? 0 : 1;
}
