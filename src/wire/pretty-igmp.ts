/**
 * IGMP messages as text, as tcpdump words them (pretty.ts has the rest).
 *
 * Thread: any; for traces and tools, not for the data path. `check` of igmp.ts has passed the message.
 * Read first: RFC 2236, RFC 3376. Missing: the records of version 3 reports, which are only counted.
 */

import * as igmp from './igmp.ts';
import { formatAddress } from './ipv4.ts';

/** Query Response Interval by default, in tenths of a second (RFC 3376 8.3); not printed. */
const RESPONSE_DEFAULT = 100;
const TENTHS_PER_MINUTE = 600;

/** A message of `lengthBytes` that passed `igmp.check`, e.g. "igmp v2 report 239.1.1.1". */
export function formatIgmp(view: DataView, at: number, lengthBytes: number): string {
  const group = formatAddress(igmp.group(view, at));
  switch (igmp.type(view, at)) {
    case igmp.TYPE_QUERY:
      return formatQuery(view, at, igmp.queryVersion(view, at, lengthBytes));
    case igmp.TYPE_REPORT_V1:
      return `igmp v1 report ${group}`;
    case igmp.TYPE_REPORT_V2:
      return `igmp v2 report ${group}`;
    case igmp.TYPE_LEAVE:
      return `igmp leave ${group}`;
    default:
      return `igmp v3 report, ${igmp.recordCount(view, at)} group record(s)`;
  }
}

function formatQuery(view: DataView, at: number, version: number): string {
  let text = `igmp query v${version}`;
  const code = igmp.maxResponseCode(view, at);
  const tenths = version === 3 ? igmp.decodeTime(code) : code;
  if (version > 1 && tenths !== RESPONSE_DEFAULT) text += ` [max resp time ${version === 3 ? span(tenths) : tenths}]`;
  const group = igmp.group(view, at);
  if (group === 0) return text;
  const sources = version === 3 ? igmp.sourceCount(view, at) : 0;
  return `${text} [gaddr ${formatAddress(group)}${sources === 0 ? '' : `, ${sources} source(s)`}]`;
}

function span(tenths: number): string {
  if (tenths < TENTHS_PER_MINUTE) return `${Math.floor(tenths / 10)}.${tenths % 10}s`;
  const sec = Math.floor(tenths / 10);
  return `${Math.floor(sec / 60)}m${sec % 60}s`;
}
