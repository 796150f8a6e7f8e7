// SuperTest under the test runner, which the program starts as a process of its own: against an application of the test, and another machine.
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const http = require('node:http');
const { roles } = require('./roles.cjs');

async function server() {
  const web = http.createServer((request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ asked: request.url }));
  });
  await once(web.listen(80), 'listening');
  return () => web.close();
}

async function client(host) {
  const env = { ...process.env, SERVER: `http://${host}` };
  const runner = spawn(process.execPath, ['--test', `${__dirname}/supertest-cases.cjs`], { env });
  let out = '';
  runner.stdout.on('data', (text) => {
    out += text;
  });
  runner.stderr.pipe(process.stderr);
  const [code] = await once(runner, 'close');
  for (const line of out.split('\n')) if (/^(not )?ok|^# (pass|fail)/.test(line)) console.log(line);
  console.log(code);
}

roles({ server, client });
