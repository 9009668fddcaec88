// Changes of upstreams that wait for an approval: what was, what would be, and the decision.
import type { HeldChange } from "../../admin/approvals/held_change.ts";
import type { SuspicionKind } from "../../admin/approvals/suspicious_text.ts";
import type { PageHandler } from "../call/page_call.ts";
import type { Refusal } from "../call/rest.ts";
import { findUpstream, OnlyOf } from "../parts/only_of.tsx";
import { Ago, Badge, Empty, PageHead, Pages } from "../parts/page_parts.tsx";
import { partOf } from "../parts/search_list.tsx";

/** Each with the texts before and after. */
const CHANGES_ON_A_PAGE = 20;

/** All changes that wait, or with `?gateway=ID` those of one upstream. */
export const heldPage: PageHandler = async ({ rest, query }) => {
  const gateway = query.get("gateway") || null;
  const held = await rest.get<HeldChange[]>(
    gateway === null ? "/held" : `/gateways/${encodeURIComponent(gateway)}/held`,
  );
  const upstream = await findUpstream(rest, gateway);
  const { data, pagination } = partOf(held, query, CHANGES_ON_A_PAGE);
  const now = Date.now();
  return {
    title: "Held changes",
    body: (
      <>
        <PageHead title="Held changes" />
        <OnlyOf upstream={upstream} all="held" noun="changes" />
        {held.length === 0
          ? (
            <Empty title="Nothing waits for you">
              <p>
                With <code>tool_approval</code>{" "}
                the new and changed tools of an upstream wait here, so that nobody's model reads a text that
                nobody has read.
              </p>
              <div class="buttons">
                <a class="button" href="help/approval">Read about approval</a>
              </div>
            </Empty>
          )
          : (
            <>
              <form class="head" id="chosen" method="post" action={pathOf(query)}>
                <p class="soft small">
                  {held.length === 1 ? "1 change" : `${held.length.toLocaleString("en")} changes`}
                </p>
                {data.length > 1 && (
                  <div class="actions">
                    <button type="button" class="compact" data-action="choose">Choose all shown</button>{" "}
                    <button type="submit" class="main compact" name="verdict" value="approve">
                      Approve the chosen
                    </button>{" "}
                    <button type="submit" class="compact" name="verdict" value="reject">
                      Reject the chosen
                    </button>
                  </div>
                )}
              </form>
              {data.map((change) => <ChangeCard {...{ change, query, now, isChoosable: data.length > 1 }} />)}
              <Pages path="held" query={query} of={pagination} />
            </>
          )}
      </>
    ),
  };
};

/** What hides a part of a text. */
const SUSPICIONS: Readonly<Record<SuspicionKind, string>> = {
  tag: "tag characters",
  bidi: "characters that turn the direction",
  control: "control characters",
  invisible: "invisible characters",
  private_use: "private-use characters",
  blank_run: "long blanks",
  long_line: "very long lines",
};

function ChangeCard({ change, query, now, isChoosable }: {
  readonly change: HeldChange;
  /** Of the page, which the decision leads back to. */
  readonly query: URLSearchParams;
  readonly now: number;
  /** Other changes can be decided together with it. */
  readonly isChoosable: boolean;
}) {
  const { gatewayId, gatewayName, kind, name, heldAt, state, differences } = change;
  const suspicions = differences.flatMap((difference) => difference.suspicions);
  return (
    <section class="card held" aria-label={`${kind} ${name} of ${gatewayName}`}>
      <div class="head">
        {isChoosable && (
          <input
            type="checkbox"
            form="chosen"
            name="change"
            value={seenVersion(change)}
            aria-label={`Choose ${kind} ${name} of ${gatewayName}`}
          />
        )}
        <h2>{name}</h2>
        <Badge mood="plain" label={kind} />
        {state === "rejected" && <Badge mood="plain" label="rejected" />}
        {suspicions.map((suspicion) => (
          <Badge mood="bad" label={`${SUSPICIONS[suspicion.kind]}: ${suspicion.count}`} />
        ))}
        <div class="actions">
          <form method="post" action={pathOf(query)}>
            <input type="hidden" name="change" value={seenVersion(change)} />
            <button type="submit" class="main compact" name="verdict" value="approve">Approve</button>{" "}
            {state !== "rejected" && (
              <button type="submit" class="compact" name="verdict" value="reject">Reject</button>
            )}
          </form>
        </div>
      </div>
      <p class="soft small">
        Upstream <a href={`upstreams/${gatewayId}`}>{gatewayName}</a>, <Ago at={heldAt} now={now} />
      </p>
      {differences.map(({ member, before, after, diff }) => (
        <>
          <h3>{member}</h3>
          {diff === null
            ? (
              <pre class="diff" tabindex={0}>
                {before !== null && <del>{before}</del>}
                {after !== null && <ins>{after}</ins>}
              </pre>
            )
            : <DiffLines diff={diff} />}
        </>
      ))}
    </section>
  );
}

function DiffLines({ diff }: { readonly diff: string }) {
  return (
    <pre class="diff" tabindex={0}>
      {diff.split("\n").map((line) =>
        line.startsWith("+") ? <ins>{line}</ins> : line.startsWith("-") ? <del>{line}</del> : <span>{`${line}\n`}</span>
      )}
    </pre>
  );
}

/** The version that the page shows. A decision counts for this version, and for no later one. */
function seenVersion({ gatewayId, id, hash }: HeldChange): string {
  return [gatewayId, id, hash].join(" ");
}

/** Decides about one change or several. The changes of one upstream are decided together or not at all. */
export const decideHeld: PageHandler = async ({ rest, form, query }) => {
  const fields = await form();
  const verdict = fields.get("verdict") === "approve" ? "approve" : "reject";
  const seen = fields.getAll("change").map((text) => text.split(" "));
  if (seen.length === 0) {
    return { to: pathOf(query), notice: { text: "Choose a change first.", isFailure: true } };
  }
  let decided = 0;
  let refused: Refusal | null = null;
  for (const [gateway = "", changes] of Map.groupBy(seen, ([gateway]) => gateway)) {
    const answer = await rest.attempt("POST", `/gateways/${encodeURIComponent(gateway)}/held/${verdict}`, {
      changes: changes.map(([, id, hash]) => ({ id, hash })),
    });
    if ("refused" in answer) refused = answer.refused;
    else decided += changes.length;
  }
  const notice = refused === null
    ? { text: successText(verdict, decided) }
    : { text: failureText(refused, decided), isFailure: true };
  return { to: pathOf(query), notice };
};

/** @param decided the number of changes of other upstreams that were decided */
function failureText({ code, text }: Refusal, decided: number): string {
  const reason = code === "CONFLICT"
    ? "a change is another one now, or somebody has decided it. What waits is below."
    : text;
  return decided === 0
    ? `Nothing was decided: ${reason}`
    : `Decided: ${decided}. The others were not: ${reason}`;
}

function successText(verdict: "approve" | "reject", decided: number): string {
  const subject = decided === 1 ? "The change is" : `${decided} changes are`;
  return verdict === "approve"
    ? `${subject} approved: clients get ${decided === 1 ? "it" : "them"} now.`
    : `${subject} rejected: clients do not get ${decided === 1 ? "it" : "them"}.`;
}

function pathOf(query: URLSearchParams): string {
  return query.size === 0 ? "held" : `held?${query}`;
}
