// The page of a resource: what it is, and what it contains, which a button reads.
import { SluiceError } from "../../base/errors.ts";
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import { type Refusal, refusalOf } from "../call/rest.ts";
import { PostButton, RefusalBox } from "../parts/form.tsx";
import { Badge, Facts, logPath, PageHead } from "../parts/page_parts.tsx";
import { type ResourcePart, ResourcePartView } from "./content_view.tsx";
import { type Entry, entryPath, EntryState, executionsOf, SwitchButton, tagsOf } from "./entry.tsx";

interface Resource extends Entry {
  readonly uri: string;
  /** null: it is no template. */
  readonly uriTemplate: string | null;
  readonly size: number | null;
}

/** What `GET /resources/{id}` answers: the first part, and all of them if there are several. */
interface ReadResource {
  readonly mime_type: string | null;
  readonly text: string | null;
  readonly blob: string | null;
  readonly contents?: readonly ResourcePart[];
}

type Read = { readonly parts: readonly ResourcePart[]; readonly elapsedMs: number } | {
  readonly refused: Refusal;
};

const CRUMBS = [{ path: "resources", label: "Resources" }];

export const resourcePage: PageHandler = async (call) => await resourceView(call, null);

export const readResource: PageHandler = async (call) => await resourceView(call, await readOf(call));

/** By the REST API: an address may be that of another upstream's resource too, which `resources/read` would answer with. */
async function readOf({ rest, params }: PageCall): Promise<Read> {
  const startedAt = performance.now();
  try {
    const read = await rest.get<ReadResource>(`/resources/${encodeURIComponent(params.id!)}`);
    const elapsedMs = Math.round(performance.now() - startedAt);
    return { parts: read.contents ?? [{ ...read, mimeType: read.mime_type }], elapsedMs };
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code === "INTERNAL") throw error;
    return { refused: refusalOf(error) };
  }
}

async function resourceView({ rest, params, viewer }: PageCall, read: Read | null): Promise<View> {
  const resource = await rest.get<Resource>(entryPath("resources", params.id!));
  const { id, name, uri, uriTemplate, enabled, gatewayId } = resource;
  const upstream = gatewayId === null ? null : await rest.find<{ name: string }>(`/gateways/${gatewayId}`);
  return {
    title: name,
    body: (
      <>
        <PageHead title={name} crumbs={CRUMBS}>
          <EntryState entry={resource} />
          {viewer.can("resources.update") && <SwitchButton kind="resources" entry={resource} />}
        </PageHead>
        {resource.description !== null && <p dir="auto">{resource.description}</p>}
        <Facts
          facts={[
            ["URI", <code>{uri}</code>],
            ["Upstream", upstream && <a href={`upstreams/${gatewayId}`}>{upstream.name}</a>],
            ["Type", resource.mimeType],
            ["Size", resource.size === null ? null : `${resource.size.toLocaleString("en")} bytes`],
            ["Visibility", resource.visibility],
            ["Read by clients", executionsOf(resource.metrics)],
            [
              "Log",
              viewer.can("admin.system_config")
                ? <a href={logPath({ tool: uri })}>its lines in the log</a>
                : null,
            ],
            ["Tags", tagsOf(resource)],
          ]}
        />
        {uriTemplate !== null && (
          <p class="soft">A template: clients fill in what stands in braces, and read the address.</p>
        )}
        {enabled && uriTemplate === null && (
          <>
            <h2>Content</h2>
            <PostButton
              path={`resources/${id}#content`}
              label={read === null ? "Read it" : "Read it again"}
              class="main"
            />
          </>
        )}
        {read !== null && (
          <section id="content" aria-label="Content">
            {"refused" in read ? <RefusalBox refused={read.refused} shown={[]} /> : (
              <>
                <p>
                  <Badge mood="good" label="done" /> <span class="soft small">{`${read.elapsedMs} ms`}</span>
                </p>
                {read.parts.map((part) => <ResourcePartView part={part} />)}
              </>
            )}
          </section>
        )}
      </>
    ),
  };
}
