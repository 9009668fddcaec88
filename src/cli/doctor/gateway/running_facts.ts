// Asks the gateway of this folder for its metrics, if it runs.
import type { Loaded } from "../../../config/load.ts";
import { gatewayAccess } from "../../command_line/gateway_client.ts";
import { GatewayQuestions, isSecretsFileOpen } from "./gateway_questions.ts";
import { readSamples, type Running } from "./running_checks.ts";

/** null: no gateway runs there, or it does not take this folder's token. */
export async function readRunning(loaded: Loaded): Promise<Running | null> {
  if (isSecretsFileOpen(loaded.config)) return null;
  const access = await gatewayAccess({ url: null, tokenFile: null }, loaded).catch(() => null);
  if (access === null) return null;
  const questions = new GatewayQuestions(loaded.config, access.token);
  try {
    const asked = await questions.ask(`${access.url}/metrics/prometheus`);
    if ("reason" in asked) return null;
    if (asked.status >= 500) return { brokenStatus: asked.status };
    return asked.status === 200 ? readSamples(asked.text) : null;
  } finally {
    questions.close();
  }
}
