/**
 * Preloaded (`node --require`) into the process of `mk run`, and into the Node processes and threads that its program, or
 * a program of a lab, starts: the first gets a kernel of its own, the others share the kernel of whoever started them.
 *
 * Thread: the main thread of a process, or a worker. Nothing here may load `node:net`, `node:dgram` or `node:dns` before
 * the kernel is installed.
 */

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { hidePreload, inheritedSharePoint, openHiddenChannel, shareWithChildren } from '../node/children.ts';
import { install } from '../node/install.ts';
import { StaticNames } from '../node/names.ts';
import { SharedSockets } from '../node/share-client.ts';

const preload = fileURLToPath(import.meta.url);
const point = inheritedSharePoint();
hidePreload(preload);
if (point === null) {
  // Only here: the kernel's modules are not needed where it is shared.
  createRequire(import.meta.url)(`./own-kernel${preload.endsWith('.ts') ? '.ts' : '.js'}`);
} else {
  const sockets = new SharedSockets(point);
  const { interfaces } = sockets;
  const names = new StaticNames(sockets.names);
  install({ sockets, names, ...(interfaces === null ? {} : { interfaces: () => interfaces }) });
}
shareWithChildren(preload);
openHiddenChannel();
