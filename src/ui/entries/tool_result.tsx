// The result of a tool as a person reads it, and the failure of a call.
import type { RpcOutcome } from "../call/page_call.ts";
import { Badge, CorrelationId } from "../parts/page_parts.tsx";
import { type Content, ContentView, Json } from "./content_view.tsx";

export interface ToolResult {
  readonly content?: readonly Content[];
  readonly structuredContent?: unknown;
  readonly isError?: boolean;
}

export function ToolResultView(
  { result, elapsedMs }: { readonly result: ToolResult; readonly elapsedMs: number },
) {
  const { content, structuredContent, isError = false } = result;
  return (
    <>
      <p>
        <Badge mood={isError ? "bad" : "good"} label={isError ? "the tool reports an error" : "done"} />{" "}
        <span class="soft small">{`${elapsedMs} ms`}</span>
      </p>
      {Array.isArray(content) && content.map((each) => <ContentView content={each} />)}
      {structuredContent !== undefined && (
        <>
          <h3>Structured content</h3>
          <Json value={structuredContent} />
        </>
      )}
      <ResultJson result={result} />
    </>
  );
}

export function ResultJson({ result }: { readonly result: unknown }) {
  return (
    <details>
      <summary>The result as JSON</summary>
      <Json value={result} />
    </details>
  );
}

/** @param hasLog may the viewer read the log? */
export function CallFailure({ error: { message, correlationId }, hasLog }: {
  readonly error: Extract<RpcOutcome, { readonly error: unknown }>["error"];
  readonly hasLog: boolean;
}) {
  return (
    <div class="notice bad" role="alert">
      <div>
        <p>{message}</p>
        {correlationId !== undefined && (
          <p class="small">
            Correlation id: <CorrelationId id={correlationId} hasLog={hasLog} />
          </p>
        )}
      </div>
    </div>
  );
}
