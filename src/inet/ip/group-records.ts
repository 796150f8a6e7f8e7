/**
 * The records of IGMPv3 and MLDv2 reports, which both protocols number alike, and how they are spread over messages.
 *
 * Thread: the one that runs the kernel. Read first: RFC 3376 4.2, RFC 3810 5.2.
 * Cold: membership reports.
 */

export const RECORD_IS_INCLUDE = 1;
export const RECORD_IS_EXCLUDE = 2;
export const RECORD_TO_INCLUDE = 3;
export const RECORD_TO_EXCLUDE = 4;
export const RECORD_ALLOW = 5;
export const RECORD_BLOCK = 6;

export interface GroupRecord {
  readonly type: number;
  readonly group: number;
  readonly sources: readonly number[];
}

/**
 * Spread records over messages with `room` bytes for them. A list of sources that is too long is continued in further
 * records, but cut when it names excluded sources, because such records do not add up (RFC 3376 4.2.16).
 */
export function packRecords(
  records: readonly GroupRecord[],
  room: number,
  headerBytes: number,
  sourceBytes: number,
): GroupRecord[][] {
  const messages: GroupRecord[][] = [];
  let message: GroupRecord[] = [];
  let left = 0;
  const most = Math.max(1, Math.floor((room - headerBytes) / sourceBytes));
  for (const { type, group, sources } of records) {
    const excludes = type === RECORD_IS_EXCLUDE || type === RECORD_TO_EXCLUDE;
    let from = 0;
    do {
      const chunk = sources.slice(from, from + most);
      const bytes = headerBytes + chunk.length * sourceBytes;
      if (message.length === 0 || bytes > left) {
        message = [];
        messages.push(message);
        left = room;
      }
      message.push({ type, group, sources: chunk });
      left -= bytes;
      from += most;
    } while (from < sources.length && !excludes);
  }
  return messages;
}
