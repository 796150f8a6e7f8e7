// undici: a pool with pipelining, a stream, an upload, a retry, a proxy.
const { once } = require('node:events');
const http = require('node:http');
const net = require('node:net');
const { fetch, Pool, ProxyAgent, RetryAgent, Agent } = require('undici');
const { roles } = require('./roles.cjs');

const PROXY_PORT = 8080;

/** A proxy: CONNECT alone. */
function proxy() {
  return http.createServer().on('connect', ({ url }, socket, head) => {
    const [host, port] = url.split(':');
    const way = net.connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      way.write(head);
      socket.pipe(way).pipe(socket);
    });
    way.on('error', () => socket.destroy());
    socket.on('error', () => way.destroy());
  });
}

async function server() {
  let failures = 2;
  const web = http.createServer(async (request, response) => {
    if (request.url === '/failing' && failures-- > 0) {
      request.socket.destroy();
      return;
    }
    let bytes = 0;
    for await (const chunk of request) bytes += chunk.length;
    response.end(`${request.method} ${request.url} ${bytes}`);
  });
  const between = proxy();
  await Promise.all([once(web.listen(80), 'listening'), once(between.listen(PROXY_PORT), 'listening')]);
  return () => {
    for (const one of [web, between]) one.close();
  };
}

async function client(host) {
  const url = `http://${host}`;
  const pool = new Pool(url, { connections: 2, pipelining: 4 });
  const paths = Array.from({ length: 12 }, (_, i) => `/${i}`);
  const texts = await Promise.all(
    paths.map((path) => pool.request({ path, method: 'GET' }).then(({ body }) => body.text())),
  );
  console.log(
    texts.every((text, i) => text === `GET /${i} 0`),
    texts.length,
  );
  const { body } = await pool.request({ path: '/up', method: 'PUT', body: Buffer.alloc(300_000) });
  console.log(await body.text());
  await pool.close();
  const retrying = new RetryAgent(new Agent(), { minTimeout: 1, maxRetries: 3 });
  console.log(await (await fetch(`${url}/failing`, { dispatcher: retrying })).text());
  await retrying.close();
  const dispatcher = new ProxyAgent({ uri: `${url}:${PROXY_PORT}`, proxyTunnel: true });
  console.log(await (await fetch(`${url}/behind`, { dispatcher })).text());
  await dispatcher.close();
}

roles({ server, client });
