// The replicas behind one balancer, as the doctor has found them.
import type { ReplicaStatus } from "../../telemetry/checkup.ts";
import { Badge, type Mood } from "../parts/page_parts.tsx";

const STATES: Readonly<Record<ReplicaStatus["state"], { readonly mood: Mood; readonly label: string }>> = {
  serves: { mood: "good", label: "serves" },
  unreachable: { mood: "bad", label: "cannot be reached" },
  foreign: { mood: "bad", label: "other secrets or version" },
  unknown: { mood: "plain", label: "not asked" },
};

export function Replicas({ replicas }: { readonly replicas: readonly ReplicaStatus[] }) {
  if (replicas.length === 0) return null;
  return (
    <section aria-label="Replicas">
      <h2>Replicas</h2>
      <table class="cards-on-phone">
        <thead>
          <tr>
            <th>Replica</th>
            <th>State</th>
            <th>Version</th>
          </tr>
        </thead>
        <tbody>
          {replicas.map(({ address, is_this: isThis, state, version, reason }) => (
            <tr>
              <td>
                <strong>{address}</strong> {isThis && <span class="soft">this one</span>}
                {reason !== null && <span class="about">{reason}</span>}
              </td>
              <td data-label="State">
                <Badge {...STATES[state]} />
              </td>
              <td data-label="Version">{version ?? "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
