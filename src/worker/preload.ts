/**
 * Preloaded (`node --require`) into the program of `mk run`, into programs of a lab that are processes, and into the Node
 * processes and threads that any of them starts: they use the kernel of their machine. A process whose parent waits for it with a
 * kernel on its own event loop (`spawnSync`) gets one of its own.
 *
 * Thread: the main thread of a process, or a worker. Nothing here may load `node:net`, `node:dgram` or `node:dns` before
 * the kernel is installed.
 */

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { moduleUrl } from '../base/module-url.ts';
import {
  hidePreload,
  inheritedGate,
  inheritedKernelUrl,
  inheritOutput,
  openHiddenChannel,
  shareWithChildren,
} from '../node/children.ts';
import { useInheritedKernel } from './inherited.ts';

const preload = fileURLToPath(import.meta.url);
const url = inheritedKernelUrl();
hidePreload(preload);
inheritOutput();
if (url === null) {
  // Only here: the kernel's modules are not needed where it is shared.
  createRequire(import.meta.url)(fileURLToPath(moduleUrl('./own-kernel', import.meta.url)));
  shareWithChildren(preload);
  openHiddenChannel();
} else useInheritedKernel(url, preload, inheritedGate());
