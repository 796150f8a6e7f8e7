import { beforeEach, describe, expect, it } from 'vitest';
import { ether, hex, ip4, toHex } from '../../test/fixtures/packets.ts';
import { ToolBed } from '../../test/fixtures/tool-bed.ts';
import type { Interface } from '../net/interface.ts';
import { arp } from '../tools/arp.ts';
import { type BpfDevice, type BpfOptions, bpfFrames } from '../tools/bpf-device.ts';
import { ifconfig } from '../tools/ifconfig.ts';
import { netstat } from '../tools/netstat.ts';
import { sysctl } from '../tools/sysctl.ts';

const OWN = 'b2a000000001';
const PEER = '020000000002';
/** Header of a record; the frame follows, up to a multiple of 8. */
const HEADER_BYTES = 34;

let bed: ToolBed;
beforeEach(async () => {
  bed = new ToolBed(1);
  await bed.quietly(ifconfig, 'shmif0 10.0.0.1/24');
  await bed.quietly(arp, '-s 10.0.0.2 2:0:0:0:0:2');
  bed.seconds(10);
});

function open(options: BpfOptions = {}): BpfDevice {
  return bed.kernel.openBpf('shmif0', options);
}

const udp = (port: number): Uint8Array =>
  ether(
    OWN,
    PEER,
    0x0800,
    ip4({ src: '10.0.0.2', dst: '10.0.0.1', protocol: 17 }, hex(`0007${port.toString(16).padStart(4, '0')}00080000`)),
  );
const echo = (): Uint8Array =>
  ether(OWN, PEER, 0x0800, ip4({ src: '10.0.0.2', dst: '10.0.0.1', protocol: 1 }, hex('0800f7fd00010001')));

/** The records of a buffer: capture length, length, and the frame. */
function records(buffer: Uint8Array): { captured: number; length: number; frame: string }[] {
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  const found = [];
  for (let at = 0; at < buffer.length; ) {
    const [captured, length, headerBytes] = [
      view.getUint32(at + 16, true),
      view.getUint32(at + 20, true),
      view.getUint16(at + 24, true),
    ];
    expect(headerBytes).toBe(HEADER_BYTES);
    found.push({ captured, length, frame: toHex(buffer.subarray(at + headerBytes, at + headerBytes + captured)) });
    at = (at + headerBytes + captured + 7) & -8;
  }
  return found;
}

describe('a bpf device', () => {
  it('gives frames behind struct bpf_hdr, at once when it is immediate', async () => {
    const bpf = open({ filter: 'udp port 9', immediate: true });
    const read = bpf.read();
    bed.receive(0, udp(7), udp(9));
    bed.seconds(1);
    const buffer = await read;
    expect(buffer.length).toBe(80);
    expect(records(buffer)).toEqual([{ captured: 42, length: 42, frame: toHex(udp(9)) }]);
    const [frame] = bpfFrames(buffer);
    expect(frame).toMatchObject({ lengthBytes: 42, bytes: udp(9) });
    // Seconds and microseconds since 1970 of the simulated host.
    const view = new DataView(buffer.buffer);
    expect(Number(view.getBigInt64(0, true)) * 1e9 + Number(view.getBigInt64(8, true)) * 1e3).toBeGreaterThanOrEqual(
      Number(bed.kernel.host.epochNs) + 10e9,
    );
  });

  it('waits for a full buffer, or for the time-out', async () => {
    const bpf = open({ filter: 'udp', bufferBytes: 160 });
    let done = false;
    const read = bpf.read().finally(() => {
      done = true;
    });
    bed.receive(0, udp(1));
    bed.seconds(1);
    await Promise.resolve();
    expect(done).toBe(false);
    bed.receive(0, udp(2));
    bed.seconds(1);
    expect(records(await read).map(({ frame }) => frame)).toEqual([udp(1), udp(2)].map(toHex));
    bpf.set({ timeoutUs: 500_000 });
    const empty = bpf.read();
    bed.seconds(1);
    expect(await empty).toEqual(new Uint8Array(0));
    const one = bpf.read();
    bed.receive(0, udp(3));
    bed.seconds(1);
    expect(records(await one)).toHaveLength(1);
  });

  it('sees what the interface sends, unless it is told not to', async () => {
    const bpf = open({ filter: 'icmp', immediate: true });
    const both = bpf.read();
    bed.receive(0, echo());
    bed.seconds(1);
    expect(records(await both).map(({ frame }) => frame.slice(0, 12))).toEqual([OWN, PEER]);
    bpf.set({ seeSent: false });
    const received = bpf.read();
    bed.receive(0, echo());
    bed.seconds(1);
    expect(records(await received).map(({ frame }) => frame.slice(0, 12))).toEqual([OWN]);
    // Frames of its own are not shown to the filter then.
    expect(await bpf.stats()).toEqual({ received: 3, dropped: 0, captured: 3 });
  });

  it('counts, and drops what does not fit into two buffers', async () => {
    const bpf = open({ filter: 'udp', bufferBytes: 80 });
    bed.receive(0, udp(1), udp(2), udp(3), echo());
    bed.seconds(1);
    // The echo reply and three port unreachables are seen, too.
    expect(await bpf.stats()).toEqual({ received: 8, dropped: 1, captured: 3 });
    bpf.set({ filter: 'icmp' });
    expect(await bpf.stats()).toEqual({ received: 0, dropped: 0, captured: 0 });
  });

  it('sends frames, with the source of the interface or their own', () => {
    const bpf = open();
    bed.devices[0]?.take();
    const frame = ether(PEER, '020000000009', 0x88b5, hex('0102'));
    bpf.write(frame);
    bpf.set({ headerComplete: true });
    bpf.write(frame);
    bed.simulation.settle();
    expect((bed.devices[0]?.take() ?? []).map(toHex)).toEqual([`${PEER}${OWN}88b50102`, `${PEER}02000000000988b50102`]);
    expect(() => bpf.write(new Uint8Array(13))).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => bpf.write(new Uint8Array(1515))).toThrow(expect.objectContaining({ code: 'EMSGSIZE' }));
  });

  it('is promiscuous while it is open', async () => {
    const bpf = open();
    bpf.set({ promiscuous: true });
    expect((await bed.run(ifconfig, 'shmif0')).text).toContain('PROMISC');
    bpf.close();
    expect((await bed.run(ifconfig, 'shmif0')).text).not.toContain('PROMISC');
    await expect(bpf.read()).rejects.toMatchObject({ code: 'EBADF' });
  });

  it('keeps as much of a frame as the filter says, an expression or a program of its own', async () => {
    const short = open({ filter: 'udp', snapBytes: 20, immediate: true });
    // struct bpf_insn: ret #16.
    const program = open({ filter: hex('0600000010000000'), immediate: true, seeSent: false });
    const reads = [short.read(), program.read()] as const;
    bed.receive(0, udp(7));
    bed.seconds(1);
    expect(records(await reads[0])).toEqual([{ captured: 20, length: 42, frame: toHex(udp(7)).slice(0, 40) }]);
    expect(records(await reads[1])).toEqual([{ captured: 16, length: 42, frame: toHex(udp(7)).slice(0, 32) }]);
    expect(() => open({ snapBytes: 0 })).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('keeps what fits into its smallest buffer, and takes the nearest length that there is', async () => {
    const bpf = open({ bufferBytes: 1, immediate: true, seeSent: false });
    const read = bpf.read();
    bed.receive(0, udp(7));
    bed.seconds(1);
    // 64 bytes, 34 of them the header.
    expect(records(await read)).toEqual([{ captured: 30, length: 42, frame: toHex(udp(7)).slice(0, 60) }]);
    open({ bufferBytes: 1 << 30 });
    await bed.quietly(sysctl, '-q -w net.bpf.maxbufsize=4096');
    open({ bufferBytes: 1 << 30 });
    const { devices } = bed.kernel.control('bpf.list', {});
    expect(devices.map(({ bufferBytes }) => bufferBytes)).toEqual([64, 1_048_576, 4096]);
  });

  it('ends with its interface', async () => {
    const bpf = open({ promiscuous: true });
    const read = bpf.read();
    bed.kernel.detach(bed.kernel.inet.interface('shmif0') as Interface);
    bed.simulation.settle();
    await expect(read).rejects.toMatchObject({ code: 'ENXIO' });
    await expect(bpf.stats()).rejects.toMatchObject({ code: 'ENXIO' });
    expect(bed.kernel.control('bpf.list', {}).devices).toEqual([]);
  });

  it('stands in netstat -B while it is open, and its counts in -s -B for good', async () => {
    const bpf = open({ filter: 'udp', immediate: true, promiscuous: true, headerComplete: true, seeSent: false });
    bed.receive(0, udp(7), echo());
    bed.seconds(1);
    const waiting = open({ bufferBytes: 4096 });
    const closed = waiting.read();
    const [first, second] = bed.kernel.control('bpf.list', {}).devices.map(({ pid }) => String(pid).padEnd(7));
    expect(await bed.run(netstat, '-B')).toEqual({
      text: `Active BPF peers
PID\tInt\tRecv     Drop     Capt     Flags  Bufsize  Comm
${first} shmif0  2        0        1        IPRSH  32768    bpf
${second} shmif0  0        0        0        W----  4096     bpf
`,
      errors: '',
      code: 0,
    });
    expect((await bed.run(netstat, '-B -I shmif1')).text.split('\n')).toHaveLength(3);
    bpf.close();
    waiting.close();
    await expect(closed).rejects.toMatchObject({ code: 'EBADF' });
    expect((await bed.run(netstat, '-B')).text.split('\n')).toHaveLength(3);
    expect((await bed.run(netstat, '-s -B')).text).toBe(
      'bpf:\n\t2 total packets received\n\t1 total packets captured\n\t0 total packets dropped\n',
    );
  });

  it('refuses what is no interface, no filter, no call', async () => {
    await expect(bed.kernel.openBpf('shmif9').read()).rejects.toMatchObject({ code: 'ENXIO' });
    expect(() => bed.kernel.openBpf('shmif0', { filter: 'tcp and and' })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    const sink = { event: () => {}, end: () => {} };
    const bad = { interface: 'shmif0', filter: Uint8Array.of(1, 2, 3) };
    expect(() => bed.kernel.client.openNow('bpf', bad, sink)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    const handle = bed.kernel.client.openNow('bpf', { interface: 'shmif0', filter: new Uint8Array(0) }, sink);
    expect(() => handle.send({ type: 'frob' } as never)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect((await bed.run(sysctl, 'net.bpf')).text).toBe('net.bpf.maxbufsize = 1048576\n');
  });
});
