// Cancels a call when its client disconnects before the response.
import type { Cancellation, CancelSignal } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";

/** @returns a function that detaches the call from the connection */
export function abortWith(clientGone: CancelSignal, call: Cancellation): () => void {
  const onGone = () => call.cancel(new SluiceError("REQUEST_CANCELLED"));
  if (clientGone.aborted) onGone();
  clientGone.addEventListener("abort", onGone, { once: true });
  return () => clientGone.removeEventListener("abort", onGone);
}
