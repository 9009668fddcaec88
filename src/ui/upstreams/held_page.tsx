// Changes of upstreams that wait for an approval: what was, what would be, and the decision.
import type { HeldChange } from "../../admin/approvals/held_change.ts";
import type { PageHandler } from "../call/page_call.ts";
import { Ago, Badge, Empty, PageHead, Pages } from "../parts/page_parts.tsx";
import { partOf } from "../parts/search_list.tsx";

/** Each with the texts before and after. */
const CHANGES_ON_A_PAGE = 20;

/** All changes that wait, or with `?gateway=ID` those of one upstream. */
export const heldPage: PageHandler = async ({ rest, query }) => {
  const gateway = query.get("gateway");
  const held = await rest.get<HeldChange[]>(
    gateway === null ? "/held" : `/gateways/${encodeURIComponent(gateway)}/held`,
  );
  const { data, pagination } = partOf(held, query, CHANGES_ON_A_PAGE);
  const now = Date.now();
  return {
    title: "Held changes",
    body: (
      <>
        <PageHead title="Held changes" />
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
              <p class="soft small">
                {held.length === 1 ? "1 change" : `${held.length.toLocaleString("en")} changes`}
              </p>
              {data.map((change) => <ChangeCard {...{ change, query, now }} />)}
              <Pages path="held" query={query} of={pagination} />
            </>
          )}
      </>
    ),
  };
};

function ChangeCard({ change, query, now }: {
  readonly change: HeldChange;
  /** Of the page, which the decision leads back to. */
  readonly query: URLSearchParams;
  readonly now: number;
}) {
  const { id, gatewayId, gatewayName, kind, name, hash, heldAt, state, differences } = change;
  const suspicions = differences.flatMap((difference) => difference.suspicions);
  return (
    <section class="card held" aria-label={`${kind} ${name} of ${gatewayName}`}>
      <div class="head">
        <h2>{name}</h2>
        <Badge mood="plain" label={kind} />
        {state === "rejected" && <Badge mood="plain" label="rejected" />}
        {suspicions.map((suspicion) => <Badge mood="bad" label={`${suspicion.count} ${suspicion.kind}`} />)}
        <div class="actions">
          <form method="post" action={pathOf(query)}>
            <input type="hidden" name="gateway" value={gatewayId} />
            <input type="hidden" name="id" value={id} />
            <input type="hidden" name="hash" value={hash} />
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

export const decideHeld: PageHandler = async ({ rest, form, query }) => {
  const { gateway = "", id = "", hash = "", verdict = "reject" } = Object.fromEntries(await form());
  const path = `/gateways/${encodeURIComponent(gateway)}/held/${
    verdict === "approve" ? "approve" : "reject"
  }`;
  const answer = await rest.attempt("POST", path, { changes: [{ id, hash }] });
  if ("refused" in answer) {
    const text = answer.refused.code === "CONFLICT"
      ? "Nothing was decided: the change is another one now, or somebody has decided it. What waits is below."
      : answer.refused.text;
    return { to: pathOf(query), notice: { text, isFailure: true } };
  }
  const text = verdict === "approve"
    ? "The change is approved: clients get it now."
    : "The change is rejected: clients do not get it.";
  return { to: pathOf(query), notice: { text } };
};

function pathOf(query: URLSearchParams): string {
  return query.size === 0 ? "held" : `held?${query}`;
}
