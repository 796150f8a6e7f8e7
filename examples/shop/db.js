// A database of sorts: one line in ("7 apple"), one line out ("7 12").
import { createServer } from 'node:net';

const stock = new Map([
  ['apple', 12],
  ['pear', 7],
  ['plum', 31],
]);

const server = createServer((socket) => {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('error', (error) => console.log(`${socket.remoteAddress}: ${error.message}`));
  socket.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const [id, name] = line.split(' ');
      socket.write(`${id} ${stock.get(name) ?? 0}\n`);
    }
  });
});

server.listen(80, () => console.log('ready'));
