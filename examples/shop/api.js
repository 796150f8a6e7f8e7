// The shop: HTTP in front, one connection to the database behind.
import { createServer } from 'node:http';
import { connect } from 'node:net';

const waiting = new Map();
let nextId = 1;
let db;

function dial() {
  let rest = '';
  db = connect(80, 'db').setEncoding('utf8');
  db.on('error', (error) => console.log(`db: ${error.code}`));
  db.on('close', () => setTimeout(dial, 500));
  db.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const [id, count] = line.split(' ');
      waiting.get(id)?.(Number(count));
    }
  });
}

/** Ask the database; undefined when it does not answer in time. */
function stock(name) {
  const id = String(nextId++);
  db.write(`${id} ${name}\n`);
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    setTimeout(resolve, 1000).unref();
  }).finally(() => waiting.delete(id));
}

dial();
createServer(async (request, response) => {
  const name = request.url.split('/').pop();
  const count = await stock(name);
  response.writeHead(count === undefined ? 504 : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(count === undefined ? { error: 'no answer from db' } : { name, count }));
}).listen(80, () => console.log('open'));
