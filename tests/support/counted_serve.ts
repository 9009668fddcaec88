// Lets a test end a worker between two requests, under any load. Import this module before the one that serves.

type Handler = Deno.ServeHandler<Deno.NetAddr>;

/** Requests that have begun and are not completely answered. */
let underWay = 0;
let isHeld = false;

/** Begins no further request, and runs `strike` when all others are answered. */
export function betweenRequests(strike: () => void): void {
  isHeld = true;
  setInterval(() => {
    if (underWay === 0) strike();
  }, 1);
}

function counted(handler: Handler): Handler {
  return (request, info) => {
    // It stays unanswered.
    if (isHeld) return new Promise(() => {});
    underWay++;
    info.completed.catch(() => {}).finally(() => underWay--);
    return handler(request, info);
  };
}

Deno.serve = new Proxy(Deno.serve, {
  apply: (serve, self, [options, handler]: [unknown, Handler]) =>
    Reflect.apply(serve, self, [options, counted(handler)]),
});
