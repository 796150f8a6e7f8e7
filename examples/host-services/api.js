// An ordinary program: it knows a database called db.

import { createServer } from 'node:http';
import { connect } from 'node:net';

createServer((_request, response) => {
  const socket = connect(5432, 'db');
  socket.on('data', (chunk) => response.end(`db says ${chunk}`));
  socket.on('error', (/** @type {NodeJS.ErrnoException} */ error) =>
    response.end(`db does not answer (${error.code})`),
  );
}).listen(80);
