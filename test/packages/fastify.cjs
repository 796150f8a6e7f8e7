// Fastify: JSON, a streamed response, and a graceful close that begins in the middle of one.
const { Readable } = require('node:stream');
const fastify = require('fastify');
const { roles } = require('./roles.cjs');

const CHUNKS = 20;
const CHUNK_BYTES = 20_000;

async function server() {
  const app = fastify();
  app.post('/echo', async (request) => ({ ...request.body, from: request.ip }));
  app.get('/stream', (_request, reply) => {
    let sent = 0;
    const body = new Readable({
      read() {
        setImmediate(() => this.push(sent++ < CHUNKS ? Buffer.alloc(CHUNK_BYTES, 'a') : null));
      },
    });
    return reply.type('text/plain').send(body);
  });
  let closing = null;
  app.addHook('onRequest', async (request) => {
    if (request.query.close === 'now') closing = app.close();
  });
  await app.listen({ port: 80, host: '0.0.0.0' });
  return () => closing ?? app.close();
}

async function client(host) {
  const url = `http://${host}`;
  const body = JSON.stringify({ hello: 'fastify' });
  const echo = await fetch(`${url}/echo`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  const { hello, from } = await echo.json();
  console.log(hello, from.split('.').length);
  for (const path of ['/stream', '/stream?close=now']) {
    const response = await fetch(url + path);
    console.log(response.status, (await response.text()).length);
  }
}

roles({ server, client });
