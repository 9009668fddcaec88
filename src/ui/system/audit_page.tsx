// Room `system`: the audit trail, the log, the settings, and the manual. This file shows the trail, the newest record first.
import type { PageHandler } from "../call/page_call.ts";
import { Badge, Empty, logPath, NextPage, PageHead, utcOf } from "../parts/page_parts.tsx";
import { NothingFound } from "../parts/search_list.tsx";

interface AuditRecord {
  readonly sequence: number;
  readonly at: string;
  readonly outcome: "done" | "refused" | "failed";
  readonly code: string | null;
  readonly operation: string | null;
  readonly method: string;
  readonly entity: { readonly kind: string; readonly id: string } | null;
  readonly actor: { readonly email: string; readonly subject: string } | null;
  readonly address: string;
  readonly correlationId: string;
  readonly count: number;
  readonly changes?: Readonly<Record<string, { readonly before: unknown; readonly after: unknown }>> | null;
}

const MOODS = { done: "good", refused: "warn", failed: "bad" } as const;

export const auditPage: PageHandler = async ({ rest, query, viewer }) => {
  const asked = new URLSearchParams({ limit: "50" });
  for (const name of ["email", "entity_id", "cursor"]) {
    const value = query.get(name)?.trim();
    if (value !== undefined && value !== "") asked.set(name, value);
  }
  const { records, nextCursor } = await rest.get<{ records: AuditRecord[]; nextCursor: string | null }>(
    `/audit?${asked}`,
  );
  asked.delete("limit");
  const isFiltered = asked.size > 0;
  return {
    title: "Audit trail",
    body: (
      <>
        <PageHead title="Audit trail" />
        {records.length === 0 && !isFiltered
          ? (
            <Empty title="No record yet">
              <p>
                With <code>AUDIT_TRAIL_ENABLED=true</code>{" "}
                each administrative action is recorded here: who did what, from where, and what changed.
              </p>
              <div class="buttons">
                <a class="button" href="help/audit">Read about the audit trail</a>
              </div>
            </Empty>
          )
          : (
            <>
              <form class="filters" role="search" action="audit">
                <label class="sr-only" for="email">Only of this user</label>
                <input
                  {...{ id: "email", name: "email", type: "search", placeholder: "Only of this user" }}
                  value={query.get("email") ?? ""}
                />
                <button type="submit">Show</button>
              </form>
              {records.length === 0 && <NothingFound all="audit" />}
              {records.length > 0 && (
                <table class="cards-on-phone">
                  <thead>
                    <tr>
                      <th>Action</th>
                      <th>Who</th>
                      <th>Outcome</th>
                      <th>When</th>
                    </tr>
                  </thead>
                  <tbody>
                    {records.map((record) => (
                      <RecordRow record={record} hasLog={viewer.can("admin.system_config")} />
                    ))}
                  </tbody>
                </table>
              )}
              <NextPage at={nextCursor === null ? null : withCursor(asked, nextCursor)} label="Older" />
            </>
          )}
      </>
    ),
  };
};

function withCursor(asked: URLSearchParams, cursor: string): string {
  const next = new URLSearchParams(asked);
  next.set("cursor", cursor);
  return `audit?${next}`;
}

/** The pages of what a record is about, by its kind. */
const PAGES: Readonly<Record<string, string>> = {
  gateway: "upstreams",
  server: "virtual-servers",
  tool: "tools",
  resource: "resources",
  prompt: "prompts",
  team: "teams",
  user: "users",
};

function Entity({ kind, id }: { readonly kind: string; readonly id: string }) {
  const page = PAGES[kind];
  return (
    <span class="note">
      {kind} {page === undefined ? id : <a href={`${page}/${encodeURIComponent(id)}`}>{id}</a>}
    </span>
  );
}

function RecordRow({ record, hasLog }: { readonly record: AuditRecord; readonly hasLog: boolean }) {
  const { operation, method, entity, actor, outcome, code, at, address, count, changes } = record;
  const changed = Object.entries(changes ?? {});
  return (
    <tr>
      <td>
        <strong>{operation ?? method}</strong> {count > 1 && <span class="soft">{`${count} times`}</span>}
        {entity !== null && <Entity {...entity} />}
        {changed.length > 0 && (
          <details class="small">
            <summary>{changed.length === 1 ? "1 change" : `${changed.length} changes`}</summary>
            <dl class="facts">
              {changed.map(([field, { before, after }]) => (
                <>
                  <dt>{field}</dt>
                  <dd class="diff">
                    <del>{JSON.stringify(before)}</del>
                    <ins>{JSON.stringify(after)}</ins>
                  </dd>
                </>
              ))}
            </dl>
          </details>
        )}
      </td>
      <td data-label="Who" class="long">
        <span>
          {actor?.email ?? "nobody known"}
          <span class="about">{address}</span>
        </span>
      </td>
      <td data-label="Outcome">
        <Badge mood={MOODS[outcome]} label={code ?? outcome} />
      </td>
      <td data-label="When" class="nowrap">
        <span>
          <time dateTime={at} title={record.correlationId}>{utcOf(at)}</time>
          {hasLog && (
            <a class="about" href={logPath({ correlation_id: record.correlationId })}>its lines in the log</a>
          )}
        </span>
      </td>
    </tr>
  );
}
