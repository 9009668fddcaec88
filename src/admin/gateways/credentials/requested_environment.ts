// Reads the environment variables of an upstream that is started as a process. They are stored and masked like credentials.
import type { Credentials } from "../../../upstream/credentials.ts";
import { isLoaderVariable } from "../../../upstream/stdio/policy.ts";
import { type Fault, fault } from "../../rest/faults.ts";
import type { GatewayInput } from "../../rest/schemas.ts";
import { unmasked } from "./masked_secrets.ts";

/** @param kept the gateway's stored variables: they stand for masks, and remain if the request has no variables */
export function requestedEnvironment(
  { env }: GatewayInput,
  kept: Credentials | null,
): { credentials: Credentials | null; faults: Fault[] } {
  const old = kept?.type === "env" ? kept.variables : {};
  if (env === undefined) return { credentials: kept, faults: [] };
  const faults: Fault[] = [];
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(env ?? {})) {
    const loc = ["body", "env", name];
    if (isLoaderVariable(name)) {
      faults.push(fault(loc, `${name} can make the process load other code, and cannot be set`));
    }
    variables[name] = unmasked(value, { value: old[name] ?? null }, loc, faults) ?? "";
  }
  const isEmpty = Object.keys(variables).length === 0;
  return { credentials: isEmpty || faults.length > 0 ? null : { type: "env", variables }, faults };
}
