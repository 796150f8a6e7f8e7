/**
 * The memory of a CPU for buffers and waiting packets as the tools see it: a limit, a counter, and two gauges.
 *
 * Thread: the one that runs the CPU.
 * Cold: declared once, read by tools; `update` is called once per turn.
 */

import type { Cpu } from '../kern/cpu.ts';

const MIN_BYTES = 65_536;

export class MemoryGauge {
  readonly #cpu: Cpu;
  readonly #used: number;
  readonly #refused: number;

  constructor(cpu: Cpu) {
    const { counters, heap, shared } = cpu;
    this.#cpu = cpu;
    this.#used = counters.index('memory-used');
    this.#refused = counters.index('memory-refused');
    const max = counters.index('memory-max');
    const variable = shared.sysctl.integer(
      'kern.memory_max',
      heap.byteLength,
      Math.min(MIN_BYTES, heap.byteLength),
      heap.byteLength,
      'memory of a CPU for buffers and waiting packets, bytes',
    );
    variable.onChange = (bytes) => {
      heap.limitBytes = bytes;
      counters.set(max, bytes);
    };
    counters.set(max, heap.limitBytes);
    shared.sysctl.limits.add({
      table:
        'memory of buffers and waiting packets, bytes; a node of a lab has what `memory:` says, or 64 MiB, or its part of 768 MiB',
      variable,
      counter: 'memory-refused',
      whenFull:
        'TCP windows close and writes wait (EAGAIN), datagrams and fragments are dropped; long before, large buffers stop growing and leave an eighth for small ones',
      size: () => heap.usedBytes,
    });
    this.update();
  }

  update(): void {
    const { counters, heap } = this.#cpu;
    counters.set(this.#used, heap.usedBytes);
    counters.set(this.#refused, heap.refusals);
  }
}
