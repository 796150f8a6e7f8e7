// Preloaded into the programs of examples/shop, to run them without a lab: names of machines are ports of the loopback (SHOP_PORTS),
// and the port that a program listens at is another (SHOP_PORT).
import net from 'node:net';

const ports = JSON.parse(process.env.SHOP_PORTS);
const own = Number(process.env.SHOP_PORT);
const { listen } = net.Server.prototype;
const { connect } = net.Socket.prototype;

net.Server.prototype.listen = function (_port, ...rest) {
  return listen.call(this, own, '127.0.0.1', ...rest);
};

// net passes on an array of options and callback; a program may also say port and host.
net.Socket.prototype.connect = function (first, ...rest) {
  const options = Array.isArray(first) ? first[0] : first;
  const port = ports[options?.host];
  if (port !== undefined) Object.assign(options, { host: '127.0.0.1', port });
  return connect.call(this, first, ...rest);
};
