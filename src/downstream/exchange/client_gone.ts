// A call whose client leaves, or gives it up, while its reply is awaited.
import type { Cancellation, CancelSignal } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";

/** @returns unties the call from its client's connection */
export function abortWith(clientGone: CancelSignal, call: Cancellation): () => void {
  const onGone = () => call.cancel(new SluiceError("REQUEST_CANCELLED"));
  if (clientGone.aborted) onGone();
  clientGone.addEventListener("abort", onGone, { once: true });
  return () => clientGone.removeEventListener("abort", onGone);
}
