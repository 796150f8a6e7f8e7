/**
 * Preloaded (`node --require`) into the process of `mk run`, into programs of a lab that are processes, and into the Node
 * processes and threads that any of them starts: the first gets a kernel of its own, the second use that of their machine,
 * the others that of their parent.
 *
 * Thread: the main thread of a process, or a worker. Nothing here may load `node:net`, `node:dgram` or `node:dns` before
 * the kernel is installed.
 */

import { createRequire, syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';
import { moduleUrl } from '../base/module-url.ts';
import { hidePreload, inheritedKernelUrl, openHiddenChannel, shareWithChildren } from '../node/children.ts';
import { connectInherited } from '../node/inherited-kernel.ts';
import { install } from '../node/install.ts';
import { StaticNames } from '../node/names.ts';

const preload = fileURLToPath(import.meta.url);
const url = inheritedKernelUrl();
hidePreload(preload);
if (url === null) {
  // Only here: the kernel's modules are not needed where it is shared.
  createRequire(import.meta.url)(fileURLToPath(moduleUrl('./own-kernel', import.meta.url)));
} else {
  const { sockets, about } = connectInherited(url);
  const { interfaces, machine } = about;
  if (machine !== null) {
    (createRequire(import.meta.url)('node:os') as { hostname(): string }).hostname = () => machine;
    syncBuiltinESMExports();
  }
  const names = new StaticNames(about.names);
  install({
    sockets,
    names,
    serverUrl: () => url,
    ...(interfaces === null ? {} : { interfaces: () => interfaces }),
  });
}
shareWithChildren(preload, { kernelElsewhere: url !== null });
openHiddenChannel();
