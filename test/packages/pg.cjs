// node-postgres, with a server of the part of its protocol that it needs: a pool, parameters, an error, a notification.
const { once } = require('node:events');
const net = require('node:net');
const { Client, Pool } = require('pg');
const { roles } = require('./roles.cjs');

const TEXT_OID = 25;

const text = (value) => Buffer.from(`${value}\0`);
const int16 = (value) => Buffer.from([value >> 8, value & 255]);
const int32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const message = (type, ...parts) => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
};
const ready = () => message('Z', Buffer.from('I'));
const failure = (code, why) => message('E', text('SERROR'), text(`C${code}`), text(`M${why}`), Buffer.from([0]));
const columns = (names) =>
  message(
    'T',
    int16(names.length),
    ...names.map((name) =>
      Buffer.concat([text(name), int32(0), int16(0), int32(TEXT_OID), int16(-1), int32(-1), int16(0)]),
    ),
  );
const row = (values) =>
  message(
    'D',
    int16(values.length),
    ...values.map((value) => Buffer.concat([int32(Buffer.byteLength(value)), Buffer.from(value)])),
  );

class Session {
  static listening = new Set();
  #socket;
  #bytes = Buffer.alloc(0);
  #started = false;
  #query = '';
  #values = [];
  #failed = false;

  constructor(socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#take(bytes)).on('error', () => {});
    socket.on('close', () => Session.listening.delete(socket));
  }

  #take(bytes) {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (;;) {
      const head = this.#started ? 1 : 0;
      if (this.#bytes.length < head + 4) return;
      const end = head + this.#bytes.readInt32BE(head);
      if (this.#bytes.length < end) return;
      const type = this.#started ? String.fromCharCode(this.#bytes[0]) : 'startup';
      const body = this.#bytes.subarray(head + 4, end);
      this.#bytes = this.#bytes.subarray(end);
      this.#serve(type, body);
    }
  }

  #serve(type, body) {
    const socket = this.#socket;
    const words = body.toString('utf8').split('\0');
    if (this.#failed && type !== 'S') return;
    switch (type) {
      case 'startup':
        this.#started = true;
        socket.write(Buffer.concat([message('R', int32(0)), message('K', int32(1), int32(2)), ready()]));
        return;
      case 'Q':
        socket.write(Buffer.concat([...this.#run(words[0], []), ready()]));
        return;
      case 'P':
        this.#query = words[1];
        socket.write(message('1'));
        return;
      case 'B':
        this.#values = parametersOf(body);
        socket.write(message('2'));
        return;
      case 'D':
        return;
      case 'E': {
        const answer = this.#run(this.#query, this.#values);
        this.#failed = answer[0][0] === 'E'.charCodeAt(0);
        socket.write(Buffer.concat(answer));
        return;
      }
      case 'S':
        this.#failed = false;
        socket.write(ready());
        return;
      case 'X':
        socket.end();
    }
  }

  /** Answers to a query, without what ends it. */
  #run(query, values) {
    const [verb, argument] = query.split(/[ ,']+/);
    switch (verb) {
      case 'LISTEN':
        Session.listening.add(this.#socket);
        return [message('C', text('LISTEN'))];
      case 'NOTIFY':
        for (const socket of Session.listening) socket.write(message('A', int32(7), text(argument), text('payload')));
        return [message('C', text('NOTIFY'))];
      case 'SELECT': {
        const rows = values.map((value) => row([argument, value]));
        return [columns(['name', 'value']), ...rows, message('C', text(`SELECT ${rows.length}`))];
      }
      default:
        return [failure('42601', `syntax error at or near "${verb}"`)];
    }
  }
}

/** The values of a Bind message: after two names and the formats. */
function parametersOf(body) {
  let at = body.indexOf(0) + 1;
  at = body.indexOf(0, at) + 1;
  at += 2 + 2 * body.readInt16BE(at);
  const values = [];
  const count = body.readInt16BE(at);
  at += 2;
  for (let i = 0; i < count; i++) {
    const length = body.readInt32BE(at);
    values.push(body.toString('utf8', at + 4, at + 4 + length));
    at += 4 + length;
  }
  return values;
}

async function server() {
  const listener = net.createServer((socket) => new Session(socket));
  await once(listener.listen(5432), 'listening');
  return () => listener.close();
}

async function client(host) {
  const options = { host, user: 'me', database: 'test' };
  const pool = new Pool({ ...options, max: 3 });
  const queries = Array.from({ length: 20 }, (_, i) => pool.query('SELECT number', [`${i}`]));
  const results = await Promise.all(queries);
  console.log(
    results.every(({ rows }, i) => rows[0].value === `${i}`),
    pool.totalCount,
  );
  const { rows, rowCount } = await pool.query('SELECT large', ['ü'.repeat(100_000), 'small']);
  console.log(
    rowCount,
    rows.map(({ value }) => value.length),
  );
  console.log(await pool.query('NONSENSE', ['x']).catch(({ code, message: why }) => `${code} ${why}`));
  const listening = new Client(options);
  await listening.connect();
  await listening.query('LISTEN news');
  const heard = once(listening, 'notification');
  await pool.query('NOTIFY news');
  const [{ channel, payload }] = await heard;
  console.log(channel, payload);
  await listening.end();
  await pool.end();
}

roles({ server, client });
