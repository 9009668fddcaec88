// What the doctor has found of this replica, each with the line that mends it.
import type { Checkup, CheckupFinding } from "../../telemetry/checkup.ts";
import type { PageHandler, View } from "../call/page_call.ts";
import { Ago, Badge, CopyText, Empty, type Mood, PageHead } from "../parts/page_parts.tsx";
import { Replicas } from "./replica_table.tsx";

export const MOODS: Readonly<Record<CheckupFinding["severity"], Mood>> = {
  error: "bad",
  warning: "warn",
  note: "plain",
};

export const doctorPage: PageHandler = async ({ rest, query }) =>
  doctorView(await rest.get<Checkup>("/doctor"), query);

/** The page follows the examination. Without a script, a reload shows what was found. */
export const examineNow: PageHandler = async ({ rest, query }) => {
  const checkup = await rest.send<Checkup>("POST", "/doctor");
  return query.has("part") ? doctorView(checkup, query) : { to: "doctor" };
};

function doctorView(checkup: Checkup, query: URLSearchParams): View {
  const body = <Found checkup={checkup} />;
  if (query.has("part")) return { title: "Doctor", body, isPart: true };
  return {
    title: "Doctor",
    body: (
      <>
        <PageHead title="Doctor">
          <form method="post" action="doctor">
            <button type="submit" hx-post="doctor?part" hx-target="#found" hx-swap="innerMorph">
              Examine now
            </button>
          </form>
        </PageHead>
        <p class="lead">
          What <code>sluice doctor</code>{" "}
          finds of this replica. It is examined once a minute while somebody looks.
        </p>
        <div id="found">{body}</div>
      </>
    ),
  };
}

function Found(
  { checkup: { examined_at: at, is_under_way: isUnderWay, examined, findings, replicas } }: {
    readonly checkup: Checkup;
  },
) {
  const anchors = anchorsOf(findings);
  return (
    <>
      <p class="soft small" role="status">
        {at !== null && (
          <>
            Examined <Ago at={at} now={Date.now()} />: {examined.join(", ")}.
          </>
        )}{" "}
        {isUnderWay && (
          <span hx-get="doctor?part" hx-trigger="every 1s" hx-target="#found" hx-swap="innerMorph">
            {at === null ? "The first examination is under way …" : "An examination is under way …"}
          </span>
        )}
        {at === null && !isUnderWay && (
          <>
            The examination failed. The log has the reason, in the line <code>not examined</code>.
          </>
        )}
      </p>
      {at !== null && findings.length === 0 && (
        <Empty title="All is well">
          <p>Errors, warnings and notes stand here, each with its reason and the line that mends it.</p>
        </Empty>
      )}
      {findings.map((finding, i) => <FindingCard finding={finding} anchor={anchors[i]!} />)}
      <Replicas replicas={replicas} />
    </>
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
