/** A lab from CommonJS. */

const { lab } = require('multikernel');

async function main() {
  const net = await lab('multikernel.yml');
  try {
    await net.until(async () => (await net.node('server').sockets({ state: 'LISTEN' })).length > 0);
    const response = await net.node('client').fetch('http://server/');
    console.log(response.status, await response.text());
  } finally {
    await net.down();
  }
}

main();
