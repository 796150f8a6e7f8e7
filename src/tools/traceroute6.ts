/** `traceroute6` with NetBSD's arguments and text. Thread: the command's. Missing: UDP probes, so that -I is always on; -g, -l, -r. */

import type { Tool } from './tool.ts';
import { runTrace } from './trace-run.ts';

const USAGE = `usage: traceroute6 [-dInv] [-f firsthop] [-m hoplimit] [-p port] [-q probes] [-s src] [-w waittime]
	target [datalen]`;

export const traceroute6: Tool = {
  name: 'traceroute6',
  about: 'show the routers on the way to a host over IPv6',
  usage: USAGE,
  run: (context, args) => runTrace(context, args, { usage: USAGE, letters: 'df:Im:np:q:s:vw:', family6: true }),
};
