// The page of a prompt: what it is, what it takes, and a form that renders it.
import type { PageCall, PageHandler, RpcOutcome, View } from "../call/page_call.ts";
import { type FormState, NEW_FORM } from "../parts/form.tsx";
import { Badge, Facts, logPath, PageHead } from "../parts/page_parts.tsx";
import { type Content, ContentView, Json } from "./content_view.tsx";
import {
  type Entry,
  entryPath,
  EntryState,
  executionsOf,
  type PromptArgument,
  SwitchButton,
  tagsOf,
} from "./entry.tsx";
import { argumentsIn, type ArgumentsSchema, TryForm } from "./schema_form.tsx";
import { CallFailure, ResultJson } from "./tool_result.tsx";

interface Prompt extends Entry {
  readonly originalName: string;
  readonly arguments: readonly PromptArgument[];
}

interface Message {
  readonly role: string;
  readonly content: Content;
}

const CRUMBS = [{ path: "prompts", label: "Prompts" }];

export const promptPage: PageHandler = async (call) => promptView(call, await promptOf(call), NEW_FORM, null);

export const tryPrompt: PageHandler = async (call) => {
  const prompt = await promptOf(call);
  const values = await call.form();
  const { args, refused } = argumentsIn(schemaOf(prompt), values);
  if (refused !== null) return await promptView(call, prompt, { values, refused }, null, 422);
  const outcome = await call.rpc("prompts/get", { name: prompt.name, arguments: args });
  return await promptView(call, prompt, { values, refused: null }, outcome);
};

async function promptOf({ rest, params }: PageCall): Promise<Prompt> {
  return await rest.get<Prompt>(entryPath("prompts", params.id!));
}

/** Arguments of prompts are texts. */
function schemaOf(prompt: Prompt): ArgumentsSchema {
  return {
    properties: Object.fromEntries(
      prompt.arguments.map(({ name, description }) => [name, { type: "string", description }]),
    ),
    required: prompt.arguments.filter(({ required }) => required === true).map(({ name }) => name),
  };
}

async function promptView(
  { viewer }: PageCall,
  prompt: Prompt,
  form: FormState,
  outcome: RpcOutcome | null,
  status?: number,
): Promise<View> {
  const { id, name, originalName, enabled, gatewayId, gatewaySlug } = prompt;
  const hasLog = viewer.can("admin.system_config");
  return {
    title: name,
    status,
    body: (
      <>
        <PageHead title={name} crumbs={CRUMBS}>
          <EntryState entry={prompt} />
          {viewer.can("prompts.update") && <SwitchButton kind="prompts" entry={prompt} />}
        </PageHead>
        {prompt.description !== null && <p dir="auto">{prompt.description}</p>}
        <Facts
          facts={[
            ["Upstream", gatewaySlug && <a href={`upstreams/${gatewayId}`}>{gatewaySlug}</a>],
            ["Original name", originalName === name ? null : <code>{originalName}</code>],
            ["Visibility", prompt.visibility],
            ["Rendered", executionsOf(prompt.metrics)],
            ["Log", hasLog ? <a href={logPath({ tool: name })}>its lines in the log</a> : null],
            ["Tags", tagsOf(prompt)],
          ]}
        />
        {enabled && (
          <>
            <TryForm {...{ noun: "prompt", id, label: `Render ${name}`, schema: schemaOf(prompt), form }} />
            {outcome !== null && (
              <section id="result" aria-label="Result">
                <h2>Result</h2>
                {"result" in outcome
                  ? <Messages result={outcome.result} />
                  : <CallFailure error={outcome.error} hasLog={hasLog} />}
              </section>
            )}
          </>
        )}
      </>
    ),
  };
}

function Messages({ result }: { readonly result: { readonly messages?: unknown } }) {
  const messages = Array.isArray(result.messages) ? result.messages as readonly Message[] : [];
  return (
    <>
      {messages.length === 0 && <p class="soft">It has no message.</p>}
      {messages.map((message) =>
        typeof message?.content !== "object" ? <Json value={message} /> : (
          <>
            <Badge mood="plain" label={String(message.role)} />
            <ContentView content={message.content} />
          </>
        )
      )}
      <ResultJson result={result} />
    </>
  );
}
