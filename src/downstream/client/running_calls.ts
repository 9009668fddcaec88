// The calls of one client that are under way, for `notifications/cancelled`.
import { Cancellation } from "../../base/cancellation.ts";
import type { SluiceError } from "../../base/errors.ts";
import { type Linked, LinkedList } from "../../base/linked_list.ts";
import type { JsonRpcId } from "../../mcp/json_rpc.ts";

export class RunningCall extends Cancellation implements Linked<RunningCall> {
  /** As the client wrote it: 1 and "1" are two ids. */
  readonly id: JsonRpcId;
  previous: RunningCall | undefined = undefined;
  next: RunningCall | undefined = undefined;

  constructor(id: JsonRpcId) {
    super();
    this.id = id;
  }
}

export class RunningCalls {
  readonly #calls = new LinkedList<RunningCall>();

  get size(): number {
    return this.#calls.length;
  }

  enter(call: RunningCall): void {
    this.#calls.push(call);
  }

  leave(call: RunningCall): void {
    this.#calls.remove(call);
  }

  /** The call with this id: the newest, if the client used the id twice. */
  find(id: unknown): RunningCall | undefined {
    let found: RunningCall | undefined;
    for (const call of this.#calls) if (call.id === id) found = call;
    return found;
  }

  cancelAll(why: () => SluiceError): void {
    for (const call of [...this.#calls]) call.cancel(why());
  }
}
