/**
 * The names of a kernel in sysctl, as uname(3) reads them: those of the NetBSD release whose system calls, variables and tools these
 * kernels follow.
 *
 * Thread: the one that runs the kernel. Cold: assembly.
 */

import type { Sysctl } from '../kern/sysctl.ts';

const OS_TYPE = 'NetBSD';
const OS_RELEASE = '8.0';
/** MMmmrrpp00, as __NetBSD_Version__. */
const OS_REVISION = 800_000_000;

export function declareIdentity(sysctl: Sysctl, hostname: string): void {
  sysctl.text('kern.ostype', OS_TYPE, 'operating system whose calls these are');
  sysctl.text('kern.osrelease', OS_RELEASE, 'its release');
  sysctl.constant('kern.osrevision', OS_REVISION, 'its release as a number');
  sysctl.text('kern.version', `multikernel, as ${OS_TYPE} ${OS_RELEASE}`, 'the kernel itself');
  sysctl.text('kern.hostname', hostname, 'name of the host', false);
  sysctl.text('kern.domainname', '', 'domain of the host', false);
}
