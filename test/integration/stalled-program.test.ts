/**
 * A program that blocks its thread, and with it its kernel, in a lab of real threads: its counters are still shown,
 * streams to it stop and lose nothing, datagrams to it are dropped or refused under a counter, the others go on.
 */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../fixtures/fake-workers.ts';
import { Terminal } from '../fixtures/mk.ts';

const STREAM_BYTES = 8_000_000;

/** Reads for a while, then does nothing but look for a file; afterwards reads on and says what came. */
const SINK = `
const { existsSync, writeFileSync } = require('fs');
require('dgram').createSocket('udp4').bind(9);
require('net').createServer((socket) => {
  let got = 0, wrong = 0;
  socket.on('data', (data) => {
    for (let i = 0; i < data.length; i++) if (data[i] !== (got + i) % 251) wrong++;
    got += data.length;
    if (existsSync('blocked')) return;
    writeFileSync('blocked', '');
    while (!existsSync('go'));
  }).on('end', () => console.log('received', got, 'wrong', wrong));
}).listen(7);`;

/** Writes a stream to the sink as fast as it goes, datagrams all the time, and plays with the third. */
const SOURCE = `
const net = require('net');
const stream = net.connect(7, 'sink');
let sent = 0;
const write = () => {
  while (sent < ${STREAM_BYTES}) {
    const piece = Buffer.alloc(20000);
    for (let i = 0; i < piece.length; i++) piece[i] = (sent + i) % 251;
    sent += piece.length;
    if (!stream.write(piece)) return stream.once('drain', write);
  }
  stream.end();
};
stream.on('connect', write);
const datagrams = require('dgram').createSocket('udp4');
setInterval(() => { for (let i = 0; i < 20; i++) datagrams.send(Buffer.alloc(1000), 9, 'sink', () => {}); }, 5);
let rounds = 0;
const ball = net.connect(8, 'third', () => ball.write('x'));
ball.on('data', (data) => { rounds++; ball.write(data); });
setInterval(() => console.log('sent', sent, 'rounds', rounds), 50);`;

const THIRD = "require('net').createServer((socket) => socket.pipe(socket)).listen(8);";

let terminal: Terminal;
afterEach(() => terminal.close());

describe.each([
  ['wait', 'txBlocked'],
  ['drop', 'txFull'],
])('a program in an endless loop, rings that %s when full', (full, counter) => {
  it('stalls what is sent to it and nothing else; mk stat and mk top do not ask it', async () => {
    terminal = new Terminal();
    const write = (name: string, text: string): void => writeFileSync(join(terminal.folder, name), text);
    write('sink.js', SINK);
    write('source.js', SOURCE);
    write('third.js', THIRD);
    write(
      'multikernel.yml',
      `name: stall
defaults: { node: { placement: beside } }
networks: { lan: { full: ${full}, ring: 64KiB } }
nodes:
  sink: { run: node sink.js }
  third: { run: node third.js }
  source: { run: node source.js, depends_on: { sink: 'listening:7', third: 'listening:8' } }
`,
    );
    const up = await terminal.up();
    await until(() => existsSync(join(terminal.folder, 'blocked')));

    const asked = terminal.start(['netstat', '-k', 'sink', '-an'], { input: '' });
    const counterOf = async (node: string, name: string): Promise<number> => {
      const { out, code } = await terminal.run('stat', node, name, '--json');
      expect(code).toBe(0);
      const blocks = JSON.parse(out) as { name: string; values: Record<string, number> }[];
      return blocks.find((block) => block.name === `${node}/eth0`)?.values[name] ?? -1;
    };
    // Sooner or later the ring is full: datagrams go on.
    await until(async () => (await counterOf('source', counter)) > 0);
    const readBySink = await counterOf('sink', 'rxFrames');
    expect(readBySink).toBeGreaterThan(0);
    const stat = await terminal.run('stat', 'sink', 'rxFrames');
    expect(stat).toMatchObject({ code: 0, out: expect.stringMatching(/^sink\/eth0 +rxFrames +\d+$/m) });
    const top = await terminal.run('top', '-n', '2', '-i', '0.2', '--json');
    expect(top.code).toBe(0);
    const samples = top.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { nodes: { node: string; up: boolean }[] });
    expect(samples).toHaveLength(2);
    expect(samples.at(-1)?.nodes).toContainEqual(
      expect.objectContaining({ node: 'sink', up: true, connections: 1, inPacketsPerSec: 0 }),
    );

    const figures = (): number[] => {
      const lines = [...up.out.matchAll(/sent (\d+) rounds (\d+)/g)];
      return (lines.at(-1) ?? []).slice(1).map(Number);
    };
    // What the program and its sockets take on their own is soon sent; then the stream stands and the ball goes on.
    let sentAtStall = -1;
    await until(async () => {
      const [sent, rounds] = figures() as [number, number];
      sentAtStall = sent;
      await until(() => (figures()[1] as number) > rounds + 100);
      return figures()[0] === sentAtStall;
    });
    expect(sentAtStall).toBeLessThan(STREAM_BYTES);
    expect(await counterOf('sink', 'rxFrames')).toBe(readBySink);
    // Whoever does ask the thread itself is told why there is no answer.
    expect(await asked.done).toMatchObject({
      code: 2,
      out: '',
      err: 'mk netstat: sink: no answer in 5 s: its program blocks the thread\n',
    });

    writeFileSync(join(terminal.folder, 'go'), '');
    await up.until(new RegExp(`sink \\| received ${STREAM_BYTES} wrong 0\n`));
    const again = await terminal.run('netstat', '-k', 'sink', '-an');
    expect(again).toMatchObject({ code: 0, out: expect.stringMatching(/\*\.7 +\*\.\* +LISTEN/) });
  });
});
