import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Demux, packPorts } from './demux.ts';

describe('Demux', () => {
  it('behaves as a map under any sequence of set and delete', () => {
    const key = fc.record({
      local: fc.integer({ min: 0, max: 3 }),
      peer: fc.integer({ min: 0, max: 7 }),
      port: fc.integer({ min: 0, max: 9 }),
    });
    const step = fc.record({ key, value: fc.option(fc.integer({ min: 0, max: 1 << 28 })) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), fc.integer(), (steps, seed) => {
        const demux = new Demux(seed);
        const model = new Map<string, number>();
        for (const { key: k, value } of steps) {
          const name = `${k.local} ${k.peer} ${k.port}`;
          const ports = packPorts(k.port, 65535 - k.port);
          if (value === null) {
            demux.delete(k.local, k.peer, ports);
            model.delete(name);
          } else {
            demux.set(k.local, k.peer, ports, value);
            model.set(name, value);
          }
        }
        expect(demux.size).toBe(model.size);
        for (let local = 0; local < 4; local++) {
          for (let peer = 0; peer < 8; peer++) {
            for (let port = 0; port < 10; port++) {
              expect(demux.find(local, peer, packPorts(port, 65535 - port))).toBe(
                model.get(`${local} ${peer} ${port}`) ?? -1,
              );
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('holds many connections to one peer', () => {
    const demux = new Demux(7);
    for (let port = 0; port < 20000; port++) demux.set(1, 2, packPorts(80, port), port);
    for (let port = 0; port < 20000; port += 2) demux.delete(1, 2, packPorts(80, port));
    for (let port = 0; port < 20000; port++) expect(demux.find(1, 2, packPorts(80, port))).toBe(port % 2 ? port : -1);
  });
});
