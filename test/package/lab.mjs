/** A lab from an ES module, and that `require` gives the same classes. */

import { createRequire } from 'node:module';
import { Lab, lab } from 'multikernel';

const net = await lab('multikernel.yml');
try {
  await net.until(async () => (await net.node('server').sockets({ state: 'LISTEN' })).length > 0);
  const response = await net.node('client').fetch('http://server/');
  console.log(response.status, await response.text());
} finally {
  await net.down();
}
console.log(createRequire(import.meta.url)('multikernel').Lab === Lab);
