/**
 * `traceroute` with NetBSD's arguments and text; IPv6 addresses are traced as by traceroute6. Thread: the command's. Missing: UDP probes,
 * so that -I is always on and -d, -p, -v, -x change nothing; -a, -D, -i, -l, -M, -P, -r.
 */

import type { Tool } from './tool.ts';
import { runTrace } from './trace-run.ts';

const USAGE = `usage: traceroute [-dFInvx] [-f first_ttl] [-g gateway] [-m max_ttl] [-p port] [-q nqueries]
	[-s src_addr] [-t tos] [-w waittime] host [packetlen]`;

export const traceroute: Tool = {
  name: 'traceroute',
  about: 'show the routers on the way to a host',
  usage: USAGE,
  run: (context, args) => runTrace(context, args, { usage: USAGE, letters: 'dFf:g:Im:np:q:s:t:vw:x', family6: false }),
};
