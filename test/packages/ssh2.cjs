// ssh2: a server and a client of it: a command, standard input, a forwarded connection.
const { once } = require('node:events');
const net = require('node:net');
const { Client, Server, utils } = require('ssh2');
const { roles } = require('./roles.cjs');

const PASSWORD = 'secret';

function session(accept) {
  accept().on('exec', (acceptCommand, _reject, { command }) => {
    const stream = acceptCommand();
    if (command !== 'upper') {
      stream.stderr.write(`${command}: not found\n`);
      stream.exit(127);
      stream.end();
      return;
    }
    let input = '';
    stream.on('data', (data) => {
      input += data;
    });
    stream.on('end', () => {
      stream.write(input.toUpperCase());
      stream.exit(0);
      stream.end();
    });
  });
}

function forward(accept, _reject, { destIP, destPort }) {
  const stream = accept();
  const socket = net.connect(destPort, destIP);
  stream.pipe(socket).pipe(stream);
}

async function server() {
  const { private: hostKey } = utils.generateKeyPairSync('ed25519');
  const inside = net.createServer((socket) => socket.end('behind the server')).listen(8080, '127.0.0.1');
  const ssh = new Server({ hostKeys: [hostKey] }, (connection) => {
    connection.on('authentication', (context) => {
      if (context.method === 'password' && context.password === PASSWORD) context.accept();
      else context.reject(['password']);
    });
    connection
      .on('session', session)
      .on('tcpip', forward)
      .on('error', () => {});
  });
  ssh.listen(22);
  await Promise.all([once(ssh, 'listening'), once(inside, 'listening')]);
  return () => {
    ssh.close();
    inside.close();
  };
}

function connect(host, password) {
  const connection = new Client();
  connection.connect({ host, port: 22, username: 'me', password });
  return once(connection, 'ready').then(() => connection);
}

function run(connection, command, input) {
  return new Promise((done) => {
    connection.exec(command, (error, stream) => {
      if (error) throw error;
      let out = '';
      const add = (data) => {
        out += data;
      };
      stream.on('data', add).on('close', (code) => done(`${code} ${out.trim()}`));
      stream.stderr.on('data', add);
      stream.end(input);
    });
  });
}

function forwarded(connection) {
  return new Promise((done) => {
    connection.forwardOut('127.0.0.1', 0, '127.0.0.1', 8080, async (error, stream) => {
      if (error) throw error;
      let text = '';
      for await (const data of stream) text += data;
      done(text);
    });
  });
}

async function client(host) {
  console.log(await connect(host, 'wrong').catch((error) => error.message));
  const connection = await connect(host, PASSWORD);
  console.log(await run(connection, 'upper', 'a line\n'.repeat(3).trim()));
  console.log(await run(connection, 'lower', ''));
  console.log(await forwarded(connection));
  connection.end();
  await once(connection, 'close');
}

roles({ server, client });
