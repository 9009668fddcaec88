// What the doctor has found of this replica, each with the line that mends it.
import type { Checkup, CheckupFinding } from "../../telemetry/checkup.ts";
import type { PageHandler } from "../call/page_call.ts";
import { Ago, Badge, CopyText, Empty, type Mood, PageHead } from "../parts/page_parts.tsx";
import { Replicas } from "./replica_table.tsx";

export const MOODS: Readonly<Record<CheckupFinding["severity"], Mood>> = {
  error: "bad",
  warning: "warn",
  note: "plain",
};

export const doctorPage: PageHandler = async ({ rest, query }) => {
  const body = <Found checkup={await rest.get<Checkup>("/doctor")} />;
  if (query.has("part")) return { title: "Doctor", body, isPart: true };
  return {
    title: "Doctor",
    body: (
      <>
        <PageHead title="Doctor" />
        <p class="lead">
          What <code>sluice doctor</code>{" "}
          finds of this replica. It is examined once a minute while somebody looks.
        </p>
        {body}
      </>
    ),
  };
};

/** Asked for again until the first examination has ended. */
function Found(
  { checkup: { examined_at: at, examined, findings, replicas } }: { readonly checkup: Checkup },
) {
  if (at === null) {
    return (
      <p class="soft" role="status" hx-get="doctor?part" hx-trigger="every 1s" hx-swap="outerHTML">
        The first examination is under way …
      </p>
    );
  }
  const anchors = anchorsOf(findings);
  return (
    <div>
      <p class="soft small">
        Examined <Ago at={at} now={Date.now()} />: {examined.join(", ")}.
      </p>
      {findings.length === 0
        ? (
          <Empty title="All is well">
            <p>Errors, warnings and notes stand here, each with its reason and the line that mends it.</p>
          </Empty>
        )
        : findings.map((finding, i) => <FindingCard finding={finding} anchor={anchors[i]!} />)}
      <Replicas replicas={replicas} />
    </div>
  );
}

function FindingCard({ finding, anchor }: { readonly finding: CheckupFinding; readonly anchor: string }) {
  const { severity, found, why, fix, remark, page, upstream } = finding;
  const setting = /^([A-Z][A-Z0-9_]+)=/.exec(fix)?.[1];
  return (
    <section class="card finding" id={anchor} aria-labelledby={`${anchor}-found`}>
      <div class="found">
        <Badge mood={MOODS[severity]} label={severity} />
        <h2 id={`${anchor}-found`}>{found}</h2>
      </div>
      <p>{why}</p>
      <CopyText id={`${anchor}-fix`} text={fix} />
      {remark !== undefined && <p class="soft small">{remark}</p>}
      <p class="small links">
        {upstream !== undefined && <a href={`upstreams?q=${encodeURIComponent(upstream)}`}>the upstream</a>}
        {setting !== undefined && <a href={`settings#setting-${setting}`}>the setting</a>}
        <a href={`help/${page}`}>the manual</a>
      </p>
    </section>
  );
}

/** Where each finding stands on the page. Several may have one id, for example of several upstreams. */
export function anchorsOf(findings: readonly CheckupFinding[]): string[] {
  const seen = new Map<string, number>();
  return findings.map(({ id }) => {
    const count = (seen.get(id) ?? 0) + 1;
    seen.set(id, count);
    return count === 1 ? id : `${id}-${count}`;
  });
}
