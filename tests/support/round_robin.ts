// A real nginx that gives each request to the next of several servers, over a connection of its own.
import { freePort } from "./free_port.ts";
import { serverFolder, ServerProcess } from "./server_process.ts";
import { waitFor } from "./wait_for.ts";

export interface RoundRobin extends AsyncDisposable {
  readonly url: string;
}

/**
 * @param ports of the servers, on 127.0.0.1
 * @param readTimeoutS after so long without a byte a server counts as failed, and is left alone for a while
 */
export async function startRoundRobin(
  ports: readonly number[],
  { readTimeoutS = 3600 }: { readonly readTimeoutS?: number } = {},
): Promise<RoundRobin> {
  return await startNginx((port) =>
    `worker_processes 1;
     events { worker_connections 2048; }
     http {
       keepalive_timeout 0; client_max_body_size 16m;
       map $http_upgrade $connection_header { default upgrade; '' close; }
       upstream replicas { ${
      ports.map((each) => `server 127.0.0.1:${each} max_fails=1 fail_timeout=2s;`).join(" ")
    } }
       server {
         listen 127.0.0.1:${port};
         location / {
           proxy_pass http://replicas; proxy_http_version 1.1; proxy_set_header Connection $connection_header;
           proxy_set_header Upgrade $http_upgrade;
           proxy_set_header Host $http_host; proxy_buffering off; proxy_request_buffering off;
           proxy_connect_timeout 1s; proxy_read_timeout ${readTimeoutS}s;
         }
       }
     }`
  );
}

/** @param conf nginx.conf for a port; it stays in the foreground, and keeps its files in a folder of its own */
export async function startNginx(conf: (port: number) => string): Promise<RoundRobin> {
  const folder = await serverFolder("sluice_nginx_");
  const port = freePort();
  const own = `access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
    fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;`;
  const text = `daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
${conf(port).replace(/^ *http \{/m, `http { ${own}`)}`;
  await Deno.writeTextFile(`${folder}/nginx.conf`, text, { mode: 0o644 });
  const server = new ServerProcess("nginx", ["-p", folder, "-c", `${folder}/nginx.conf`], folder);
  const stop = async () => {
    await server.end("SIGTERM");
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await waitFor(async () => {
      if (server.isOver) return true;
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return true;
    }, { what: "nginx to listen" });
    if (server.isOver) throw new Error(`nginx ended:\n${server.tail()}`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: stop };
}
