// The manifests that `sluice tune` writes, by the schemas of Kubernetes.
import { assertEquals } from "@std/assert";
import { kubernetesValidate } from "../support/published_programs.ts";
import { planned } from "../support/tuned_gateway.ts";

const SURROUNDINGS = [
  ["--replicas", "2", "--pgbouncer", "--redis"],
  ["--replicas", "3", "--postgres"],
] as const;

for (const flags of SURROUNDINGS) {
  Deno.test(`Kubernetes' own schemas take the manifests of \`sluice tune ${flags.join(" ")}\`, and know every field`, async () => {
    const { folder } = await planned("--users", "300", "--vcpu", "1", "--ram", "2", ...flags);
    const { command, args, env } = kubernetesValidate("--strict", `${folder}/kubernetes.yaml`);
    const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args], env }).output();
    const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
    assertEquals([code, said.match(/ invalid |error/i)], [0, null], said);
    await Deno.remove(folder, { recursive: true });
  });
}
