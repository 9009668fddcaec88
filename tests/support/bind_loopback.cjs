// Preloaded into servers that listen on all interfaces and cannot be told otherwise: they get 127.0.0.1.
const net = require("node:net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
  const [first, second, ...rest] = args;
  if (typeof first === "object" && first !== null && "port" in first) {
    return listen.call(this, { ...first, host: "127.0.0.1" }, second, ...rest);
  }
  if (typeof first === "number" || typeof first === "string") {
    const after = typeof second === "string" ? rest : [second, ...rest];
    return listen.call(this, first, "127.0.0.1", ...after.filter((arg) => arg !== undefined));
  }
  return listen.apply(this, args);
};
