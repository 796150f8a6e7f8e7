/** A program that makes any call with any arguments gets errors, and leaves nothing behind. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Program } from '../../test/fixtures/program.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Arena } from '../mem/arena.ts';
import * as abi from './abi.ts';
import { SYS } from './syscalls.ts';
import { BLOCKED } from './system-call.ts';

const ERRNO_MAX = 200;
const names = Object.keys(SYS).filter((name) => name !== 'exit');

const word = fc.oneof(
  { weight: 4, arbitrary: fc.nat(8) },
  { weight: 2, arbitrary: fc.constantFrom(64, 128, 4096, 1 << 20, (1 << 20) - 4) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(abi.AF_INET, abi.AF_INET6, abi.SOL_SOCKET, abi.SOCK_NONBLOCK | 1, abi.FIONREAD),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(-1, 0.5, Number.NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 31)),
  },
);
const call = fc.tuple(fc.constantFrom(...names), fc.array(word, { minLength: 6, maxLength: 6 }));

it('whatever is called with whatever, in whichever order', () => {
  fc.assert(
    fc.property(
      fc.array(call, { minLength: 1, maxLength: 60 }),
      fc.uint8Array({ minLength: 512, maxLength: 512 }),
      (calls, bytes) => {
        const simulation = new Simulation(1);
        const kernel = Kernel.create({ name: 'k', arena: Arena.create(40 << 20), host: simulation.host() });
        simulation.add(...kernel.cpus);
        const program = new Program(kernel.processes);
        const fds = program.allocate(8);
        program.call('socketpair', abi.AF_LOCAL, abi.SOCK_STREAM, 0, fds);
        program.call('socket', abi.AF_INET, abi.SOCK_STREAM, 0);
        program.call('socket', abi.AF_INET, abi.SOCK_DGRAM, 0);
        program.call('kqueue');
        program.bytes.set(bytes, 64);
        for (const [name, args] of calls) {
          const { result } = program.begin(name, ...args);
          expect(
            Number.isSafeInteger(result) && (result === BLOCKED || result > -ERRNO_MAX),
            `${name}: ${result}`,
          ).toBe(true);
          kernel.cpus[0].flush();
          simulation.settle();
        }
        const { process } = program;
        kernel.processes.exit(process, 0);
        kernel.cpus[0].flush();
        simulation.settle();
        expect([process.calls.size, process.descriptors.count, kernel.processes.get(process.pid)]).toEqual([
          0,
          0,
          null,
        ]);
        kernel.close();
      },
    ),
    { numRuns: 60 },
  );
});
