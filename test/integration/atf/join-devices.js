/**
 * Joins tun0 (or tap0) of two servers: what one interface sends comes in by the other. Ends by a signal. Says `joined` when both are open.
 *
 *     node join-devices.js unix://one tun0 unix://two tun0
 */

import { kernelAtUrl } from '../../../dist/tools/bin/kernel-at.js';
import { DeviceStream } from '../../../dist/tools/device-stream.js';

/** @param {string | undefined} url @param {string | undefined} name */
async function open(url, name) {
  if (url === undefined || name === undefined) throw new Error('usage: join-devices.js URL NAME URL NAME');
  return new DeviceStream(await kernelAtUrl(url, undefined), name);
}

const [url, name, otherUrl, otherName] = process.argv.slice(2);
const one = await open(url, name);
const two = await open(otherUrl, otherName);
const forward = async (/** @type {DeviceStream} */ from, /** @type {DeviceStream} */ to) => {
  for await (const frame of from) to.write(frame);
};
const ended = Promise.all([forward(one, two), forward(two, one)]);
console.log('joined');
await ended;
