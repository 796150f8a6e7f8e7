// The loops of a program, which rest when they are asked to: GET /rest of port 9 is answered when all have stopped, GET /go lets
// them go on; /counts tells what was done.
const http = require('node:http');

const counts = {};
let running = 0;
let resting = null;
let allRest = () => {};

/** Do it again and again. */
exports.forever = async (name, once) => {
  counts[name] ??= 0;
  running++;
  for (;;) {
    await once();
    counts[name]++;
    if (resting === null) continue;
    if (--running === 0) allRest();
    await resting.over;
    running++;
  }
};

async function rest() {
  if (resting === null) {
    let end = () => {};
    const over = new Promise((done) => {
      end = done;
    });
    resting = { over, end };
    if (running > 0) {
      await new Promise((done) => {
        allRest = done;
      });
    }
  }
}

function go() {
  resting?.end();
  resting = null;
}

http
  .createServer({ keepAliveTimeout: 1 }, async (request, response) => {
    if (request.url === '/rest') await rest();
    else if (request.url === '/go') go();
    response.end(JSON.stringify({ counts, memory: process.memoryUsage() }));
  })
  .listen(9);
