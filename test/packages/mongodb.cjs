// The driver of MongoDB, with a server of the part of its protocol that it needs: hello, insert, find, an error.
const { once } = require('node:events');
const net = require('node:net');
const { BSON, MongoClient } = require('mongodb');
const { roles } = require('./roles.cjs');

const HEADER_BYTES = 16;
const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;

function header(lengthBytes, answerTo, operation) {
  const bytes = Buffer.alloc(HEADER_BYTES);
  [HEADER_BYTES + lengthBytes, 0, answerTo, operation].forEach((word, i) => {
    bytes.writeInt32LE(word, 4 * i);
  });
  return bytes;
}

/** Documents behind the flags of an OP_MSG: the command, and those of its sequences. */
function commandOf(body) {
  const command = {};
  for (let at = 4; at < body.length; ) {
    const sequence = body[at++] === 1;
    const end = at + body.readInt32LE(at);
    if (!sequence) Object.assign(command, BSON.deserialize(body.subarray(at, end)));
    else {
      const name = body.toString('utf8', at + 4, body.indexOf(0, at + 4));
      const documents = [];
      for (let from = at + 4 + name.length + 1; from < end; from += body.readInt32LE(from))
        documents.push(BSON.deserialize(body.subarray(from, from + body.readInt32LE(from))));
      command[name] = documents;
    }
    at = end;
  }
  return command;
}

const stored = [];

function answer(command) {
  const [name] = Object.keys(command);
  switch (name) {
    case 'hello':
    case 'ismaster':
    case 'isMaster':
      return {
        ok: 1,
        helloOk: true,
        isWritablePrimary: true,
        ismaster: true,
        minWireVersion: 0,
        maxWireVersion: 21,
        maxBsonObjectSize: 16_777_216,
        maxMessageSizeBytes: 48_000_000,
        maxWriteBatchSize: 100_000,
        logicalSessionTimeoutMinutes: 30,
      };
    case 'ping':
    case 'endSessions':
      return { ok: 1 };
    case 'insert':
      stored.push(...command.documents);
      return { ok: 1, n: command.documents.length };
    case 'find': {
      const wanted = Object.entries(command.filter);
      const firstBatch = stored.filter((one) => wanted.every(([key, value]) => one[key] === value));
      return { ok: 1, cursor: { id: BSON.Long.ZERO, ns: `${command.$db}.${command.find}`, firstBatch } };
    }
    default:
      return { ok: 0, code: 59, codeName: 'CommandNotFound', errmsg: `no such command: '${name}'` };
  }
}

function serve(socket) {
  let bytes = Buffer.alloc(0);
  socket
    .on('error', () => {})
    .on('data', (data) => {
      bytes = Buffer.concat([bytes, data]);
      while (bytes.length >= HEADER_BYTES && bytes.length >= bytes.readInt32LE(0)) {
        const id = bytes.readInt32LE(4);
        const operation = bytes.readInt32LE(12);
        const body = bytes.subarray(HEADER_BYTES, bytes.readInt32LE(0));
        bytes = bytes.subarray(bytes.readInt32LE(0));
        if (operation === OP_MSG) {
          const reply = BSON.serialize(answer(commandOf(body)));
          socket.write(Buffer.concat([header(5 + reply.length, id, OP_MSG), Buffer.alloc(5), reply]));
        } else if (operation === OP_QUERY) {
          const reply = BSON.serialize(answer(BSON.deserialize(body.subarray(body.indexOf(0, 4) + 9))));
          const flags = Buffer.alloc(20);
          flags.writeInt32LE(8, 0);
          flags.writeInt32LE(1, 16);
          socket.write(Buffer.concat([header(20 + reply.length, id, OP_REPLY), flags, reply]));
        }
      }
    });
}

async function server() {
  const listener = net.createServer(serve);
  await once(listener.listen(27017), 'listening');
  return () => listener.close();
}

async function client(host) {
  const mongo = new MongoClient(`mongodb://${host}/?directConnection=true`, { retryWrites: false });
  await mongo.connect();
  const animals = mongo.db('zoo').collection('animals');
  console.log((await mongo.db('zoo').command({ ping: 1 })).ok);
  const herd = Array.from({ length: 500 }, (_, i) => ({ kind: 'ant', number: i, note: 'x'.repeat(200) }));
  console.log((await animals.insertMany([...herd, { kind: 'bear', number: 1 }])).insertedCount);
  console.log((await animals.find({ kind: 'ant' }).toArray()).length);
  const bears = await Promise.all(Array.from({ length: 20 }, () => animals.findOne({ kind: 'bear' })));
  console.log(bears.every((bear) => bear.number === 1));
  console.log(
    await mongo
      .db('zoo')
      .command({ dance: 1 })
      .catch(({ code, message }) => `${code} ${message}`),
  );
  await mongo.close();
}

roles({ server, client });
