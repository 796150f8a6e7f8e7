import { expect, it } from 'vitest';
import type { Device, FrameRuns } from '../../link/device.ts';
import { EthernetLink } from '../../net/ethernet.ts';
import type { Interface } from '../../net/interface.ts';
import { LinkHeader } from '../../net/link-layer.ts';
import type { InetContext } from './context.ts';
import type { IpOutput } from './output.ts';
import type { IpPath } from './path.ts';
import type { PathTable } from './path-table.ts';
import { RunOutput } from './run-output.ts';

const IP_AT = 4096 + 32;
const HEADER_AT = IP_AT + 20;

/** A path of that kind; `renewed` says what renewing it, because routes changed, makes of it. */
function begin(kind: object, room = 10, renewed: object | null = null): { at: number; asked: number[]; count: number } {
  const asked: number[] = [];
  const runs: FrameRuns = {
    runAt: 0,
    runStrideBytes: 0,
    reserveRun: (...args) => {
      asked.push(...args);
      return room;
    },
    commitRun: () => {},
  };
  const plain = { epoch: 1, headerBytes: 20, neighbor: { fresh: true }, directBytes: 1500, fragments: false };
  const queue = { runs, ...('runs' in kind ? kind : {}) };
  const device = { kind: 'test', mac: { hi: 0, lo: 0 }, queues: [queue] };
  const link = new EthernetLink(device as unknown as Device, new DataView(new ArrayBuffer(8192)));
  link.iface = { taps: [] } as unknown as Interface;
  const header = new LinkHeader();
  link.fill(header, 2, 3, 0x0800);
  const path = { ...plain, header, link, ...kind };
  const renew = (one: object) => {
    Object.assign(one, renewed);
    if (renewed !== null && 'runs' in renewed) Object.assign(queue, renewed);
  };
  const paths = { epoch: renewed === null ? 1 : 2, renew };
  const context = { heap: { allocate: () => 4096 } };
  const output = { writeHeader: (headerAt: number) => headerAt + 20 };
  const one = new RunOutput(
    context as unknown as InetContext,
    paths as unknown as PathTable,
    output as unknown as IpOutput,
  );
  return { at: one.begin(path as unknown as IpPath, 6, 1480, 8, 64, 0), asked, count: one.count };
}

it('reserves what the device has, for a path that is plain', () => {
  expect(begin({})).toEqual({ at: HEADER_AT, asked: [2, 3, 1514, 8], count: 10 });
  expect(begin({}, 2).at).toBe(HEADER_AT);
  expect(begin({}, 1).at).toBe(0);
  expect(begin({}, 0).at).toBe(0);
});

it.each([
  ['a neighbor that must be asked for', { neighbor: { fresh: false } }],
  ['a link that carries less', { directBytes: 1499 }],
  ['routers that may cut packets', { fragments: true }],
  ['a device without runs', { runs: undefined }],
])('leaves to single packets %s, also when it is found out now', (_name, kind) => {
  expect(begin(kind)).toMatchObject({ at: 0, asked: [] });
  expect(begin({}, 10, kind)).toMatchObject({ at: 0, asked: [] });
  expect(begin(kind, 10, { neighbor: { fresh: true }, directBytes: 1500, fragments: false })).toMatchObject(
    'runs' in kind ? { at: 0 } : { at: HEADER_AT },
  );
});
