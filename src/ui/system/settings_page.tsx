// Every setting in effect: its value, where it comes from, and what a change of it takes.
import type { RunningSettings, SettingReport } from "../../config/settings_report.ts";
import { slugOf } from "../../help/page.ts";
import type { PageHandler } from "../call/page_call.ts";
import { readAdvice, Tuning } from "./tuning_part.tsx";
import { Badge, PageHead } from "../parts/page_parts.tsx";
import { INTO_LIST, NothingFound } from "../parts/search_list.tsx";

export const settingsPage: PageHandler = async ({ rest, query, figures }) => {
  const { settings, totals, ignored, needs_restart: waiting } = await rest.get<RunningSettings>("/settings");
  const words = (query.get("q") ?? "").toLowerCase().split(/\s+/).filter((word) => word !== "");
  const isChangedOnly = query.get("changed") === "true";
  const found = settings.filter((setting) => fits(setting, words, isChangedOnly));
  const shown: Shown = {
    groups: Map.groupBy(found, ({ group }) => group),
    waiting: new Set(waiting),
    limitNow: (await figures())?.gauges.get("sluice_requests_limit") ?? null,
  };
  const body = (
    <>
      {found.length === 0
        ? <NothingFound all="settings" />
        : <p class="soft small" role="status">{`${found.length} of ${settings.length} settings`}</p>}
      <SettingGroups {...shown} />
    </>
  );
  if (query.has("part")) return { title: "Settings", body, isPart: true };
  const asked = await readAdvice({ rest, query });
  return {
    title: "Settings",
    body: (
      <>
        <PageHead title="Settings" />
        <p class="lead">
          The settings of this replica. They are changed where they are given: in a file, in the environment,
          or by a flag.
        </p>
        {waiting.length > 0 && (
          <div class="notice warn">
            <p>
              {waiting.join(", ")}: given anew, and not in effect. Restart the gateway to take the new values.
            </p>
          </div>
        )}
        <Tuning asked={asked} />
        <h2>All settings</h2>
        <Search query={query} />
        <div id="found">{body}</div>
        <h2>Totals of this process</h2>
        <dl class="facts">
          {totals.map(({ what, total, from }) => (
            <>
              <dt>{what}</dt>
              <dd>
                {String(total)} <span class="soft small">{from}</span>
              </dd>
            </>
          ))}
        </dl>
        {ignored.length > 0 && (
          <>
            <h2>Given, but without effect</h2>
            <dl class="facts">
              {ignored.map(({ name, from, reason }) => (
                <>
                  <dt>
                    <code>{name}</code>
                  </dt>
                  <dd>
                    {reason ?? "no setting of the gateway"} <span class="soft small">{from}</span>
                  </dd>
                </>
              ))}
            </dl>
          </>
        )}
      </>
    ),
  };
};

/** Settings without effect are shown if they are set, or searched for. */
function fits(setting: SettingReport, words: readonly string[], isChangedOnly: boolean): boolean {
  const isChanged = setting.source !== "default";
  if (isChangedOnly && !isChanged) return false;
  if (setting.state === "inert" && !isChanged && words.length === 0) return false;
  const text = `${setting.name} ${setting.given_as} ${setting.group} ${setting.doc}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function Search({ query }: { readonly query: URLSearchParams }) {
  const search = {
    "hx-get": "settings?part",
    ...INTO_LIST,
    "hx-include": ".filters [name]",
  };
  return (
    <form class="filters" role="search" action="settings">
      <label class="sr-only" for="q">Search</label>
      <input
        {...{ id: "q", name: "q", type: "search", value: query.get("q") ?? "", autocomplete: "off" }}
        placeholder="Search by name or meaning"
        {...search}
        hx-trigger="input changed delay:200ms"
      />
      <label class="choice">
        <input
          {...{ type: "checkbox", name: "changed", value: "true", ...search }}
          checked={query.get("changed") === "true"}
          hx-trigger="change"
        />
        Changed only
      </label>
      <noscript>
        <button type="submit">Show</button>
      </noscript>
    </form>
  );
}

interface Shown {
  readonly groups: ReadonlyMap<string, readonly SettingReport[]>;
  readonly waiting: ReadonlySet<string>;
  /** Where BACKPRESSURE=auto stands; null: not known. */
  readonly limitNow: number | null;
}

function SettingGroups({ groups, waiting, limitNow }: Shown) {
  return (
    <>
      {[...groups].map(([group, settings]) => (
        <>
          <h2>
            {group}
            <a class="aside" href={`help/settings#${slugOf(group)}`} aria-label={`${group} in the manual`}>
              manual
            </a>
          </h2>
          <table class="cards-on-phone settings">
            <thead>
              <tr>
                <th>Setting</th>
                <th>Value</th>
                <th>Source</th>
                <th>A change needs</th>
              </tr>
            </thead>
            <tbody>
              {settings.map((setting) => (
                <SettingRow
                  setting={setting}
                  isWaiting={waiting.has(setting.name)}
                  now={setting.name === "BACKPRESSURE" && setting.value === "auto" ? limitNow : null}
                />
              ))}
            </tbody>
          </table>
        </>
      ))}
    </>
  );
}

/** How a report shows that nothing is set. */
const NOTHING: ReadonlySet<string> = new Set(["", "-", "(none)"]);

function SettingRow({ setting, isWaiting, now }: {
  readonly setting: SettingReport;
  readonly isWaiting: boolean;
  readonly now: number | null;
}) {
  const { name, shown, doc, note, reloadable, state } = setting;
  return (
    <tr id={`setting-${name}`}>
      <td>
        <strong>
          <code>{name}</code>
        </strong>
        <span class="doc">
          <WithCode text={note === null ? doc : `It has ${note}.`} />
        </span>
      </td>
      <td data-label="Value">
        <span>
          {NOTHING.has(shown) ? <span class="soft">none</span> : <code>{shown}</code>}
          {now !== null && <span class="doc">{`now ${now}, in all workers`}</span>}
        </span>
      </td>
      <td data-label="Source">
        <Origin setting={setting} />
      </td>
      <td data-label="A change needs">
        {isWaiting
          ? <Badge mood="warn" label="a restart, now" />
          : state === "inert"
          ? <span class="soft">nothing</span>
          : reloadable
          ? "a reload"
          : "a restart"}
      </td>
    </tr>
  );
}

/** A text whose code stands between backticks. */
function WithCode({ text }: { readonly text: string }) {
  return <>{text.split("`").map((part, i) => i % 2 === 1 ? <code>{part}</code> : part)}</>;
}

function Origin({ setting }: { readonly setting: SettingReport }) {
  const { source, given_as: given, name, file, is_automatic: isAutomatic, default: initial } = setting;
  const alias = source !== "flag" && given.toUpperCase() !== name ? ` as ${given}` : "";
  const words = source === "dev" ? "development default" : file ?? source;
  return (
    <span>
      {source === "default" ? <span class="soft">default</span> : <Badge mood="plain" label={words} />}
      {alias !== "" && <span class="doc">{alias}</span>}
      {isAutomatic && <span class="doc">chosen by the gateway</span>}
      {source !== "default" && <span class="doc">{`default: ${initial ?? "none"}`}</span>}
    </span>
  );
}
