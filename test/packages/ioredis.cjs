// ioredis, with a server of the part of RESP that it needs: commands, pipelines, a transaction, publish and subscribe.
const { once } = require('node:events');
const net = require('node:net');
const Redis = require('ioredis');
const { roles } = require('./roles.cjs');

// Texts of the server are bytes, one character each.
const bulk = (text) => (text === null ? '$-1\r\n' : `$${text.length}\r\n${text}\r\n`);
const array = (...parts) => `*${parts.length}\r\n${parts.join('')}`;

/** Commands in the bytes that came, and the bytes that are left. */
function* commands(connection) {
  const { text } = connection;
  let at = 0;
  const line = () => {
    const end = connection.text.indexOf('\r\n', at);
    if (end < 0) return null;
    const found = connection.text.slice(at + 1, end);
    at = end + 2;
    return found;
  };
  for (let begun = at; at < text.length; begun = at) {
    const words = [];
    const count = line();
    for (let i = 0; count !== null && i < Number(count); i++) {
      const length = line();
      if (length === null || at + Number(length) + 2 > text.length) break;
      words.push(text.slice(at, at + Number(length)));
      at += Number(length) + 2;
    }
    if (count === null || words.length < Number(count)) {
      connection.text = text.slice(begun);
      return;
    }
    yield words;
  }
  connection.text = '';
}

class Store {
  values = new Map();
  subscribers = new Map();

  answer(socket, connection, [name, ...args]) {
    const { values, subscribers } = this;
    const [key, value] = args;
    switch (name.toLowerCase()) {
      case 'info':
        return bulk('redis_version:7.0.0\r\nloading:0\r\n');
      case 'set':
        values.set(key, value);
        return '+OK\r\n';
      case 'get':
        return bulk(values.get(key) ?? null);
      case 'incr':
        values.set(key, `${Number(values.get(key) ?? 0) + 1}`);
        return `:${values.get(key)}\r\n`;
      case 'multi':
        connection.queue = [];
        return '+OK\r\n';
      case 'subscribe':
        subscribers.set(socket, key);
        return array(bulk('subscribe'), bulk(key), ':1\r\n');
      case 'publish': {
        const heard = [...subscribers].filter(([, channel]) => channel === key);
        for (const [one] of heard) one.write(array(bulk('message'), bulk(key), bulk(value)));
        return `:${heard.length}\r\n`;
      }
      case 'quit':
        return '+OK\r\n';
      default:
        return `-ERR unknown command '${name}'\r\n`;
    }
  }

  serve(socket) {
    const connection = { text: '', queue: null };
    socket
      .setDefaultEncoding('latin1')
      .setEncoding('latin1')
      .on('data', (text) => {
        connection.text += text;
        for (const words of commands(connection)) {
          const name = words[0].toLowerCase();
          if (name === 'exec') {
            const queued = connection.queue ?? [];
            connection.queue = null;
            socket.write(array(...queued.map((one) => this.answer(socket, connection, one))));
          } else if (connection.queue === null) socket.write(this.answer(socket, connection, words));
          else {
            connection.queue.push(words);
            socket.write('+QUEUED\r\n');
          }
          if (name === 'quit') socket.end();
        }
      });
    socket.on('error', () => {}).on('close', () => this.subscribers.delete(socket));
  }
}

async function server() {
  const store = new Store();
  const listener = net.createServer((socket) => store.serve(socket));
  await once(listener.listen(6379), 'listening');
  return () => listener.close();
}

async function client(host) {
  const options = { host, protocol: 2, disableClientInfo: true, retryStrategy: null };
  const redis = new Redis(options);
  redis.on('error', ({ message }) => console.log('error', message));
  console.log(await redis.set('city', 'Zürich'), await redis.get('city'), await redis.get('nowhere'));
  const large = 'x'.repeat(500_000);
  await redis.set('large', large);
  console.log((await redis.get('large')) === large);
  const counts = await Promise.all(Array.from({ length: 1000 }, () => redis.incr('count')));
  console.log(counts.at(-1));
  console.log(await redis.multi().incr('count').get('city').exec());
  console.log(await redis.call('NONSENSE').catch(({ message }) => message));
  const listening = new Redis(options);
  await listening.subscribe('news');
  const heard = once(listening, 'message');
  console.log(await redis.publish('news', 'of the day'), await heard);
  await Promise.all([redis.quit(), listening.quit()]);
}

roles({ server, client });
