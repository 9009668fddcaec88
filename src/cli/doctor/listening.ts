// Whether `serve` could listen where HOST and PORT say. A gateway that serves there is well.
import type { Config } from "../../config/schema.ts";
import { listenFault } from "../../worker/listen/listen_fault.ts";
import { answers } from "../command_line/gateway_client.ts";
import { localUrl } from "../command_line/local_url.ts";
import { type Finding, sentence } from "./finding.ts";

/** Listens for a moment. */
export async function checkListening(
  config: Pick<Config, "host" | "port" | "ssl">,
  listen: (address: Deno.ListenOptions) => Disposable = Deno.listen,
): Promise<Finding[]> {
  const { host: hostname, port } = config;
  try {
    listen({ hostname, port })[Symbol.dispose]();
    return [];
  } catch (error) {
    const isTaken = error instanceof Deno.errors.AddrInUse;
    const isPrivileged = error instanceof Deno.errors.PermissionDenied;
    // A service may listen on a port that is refused to the user of this command.
    if ((isTaken || isPrivileged) && await answers(localUrl(config))) return [];
    return [{
      id: "settings.listen",
      severity: "error",
      found: isTaken
        ? `A program that does not answer as a gateway has port ${port} of ${hostname}.`
        : sentence(
          `the gateway cannot listen on port ${port} of ${hostname}: ${
            listenFault(error, { hostname, port })
          }`,
        ),
      why: "The gateway does not start.",
      ...(isTaken
        ? { fix: `ss -ltnp 'sport = :${port}'`, remark: "names the program: stop it, or choose another PORT" }
        : isPrivileged
        ? { fix: "AmbientCapabilities=CAP_NET_BIND_SERVICE", remark: "in the unit of systemd" }
        : { fix: "HOST=127.0.0.1", remark: "or another address of this machine" }),
      page: "troubleshooting#the-gateway-does-not-start",
    }];
  }
}
