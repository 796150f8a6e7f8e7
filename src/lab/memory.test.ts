import { describe, expect, it } from 'vitest';
import type { LabOptions } from './config.ts';
import { checkLab } from './lab-file.ts';
import { LabMemory } from './memory.ts';
import type { LabPlan } from './plan.ts';
import { planLab } from './planner.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** A lab of so many nodes without programs, on so many networks. */
function plan(nodes: number, networks: number, ring?: string): LabPlan {
  const lab: LabOptions = { name: 'big', networks: {}, nodes: {} };
  for (let i = 0; i < networks; i++) {
    (lab.networks as NonNullable<LabOptions['networks']>)[`lan${i}`] = {
      prefix: `10.${i}.0.0/16`,
      ...(ring === undefined ? {} : { ring }),
    };
  }
  for (let i = 0; i < nodes; i++) {
    (lab.nodes as NonNullable<LabOptions['nodes']>)[`n${i}`] = { networks: [`lan${i % networks}`] };
  }
  const locate = (): { line: number; column: number } => ({ line: 0, column: 0 });
  return planLab(checkLab(lab, 'lab'), { file: 'lab', path: null, folder: '/', locate });
}

describe('the memory of a lab', () => {
  it('is 64 MiB for each of a few nodes, an equal part of 768 MiB for more, and 1 MiB at least', () => {
    expect(new LabMemory(plan(4, 1)).heapBytesOf('n0')).toBe(64 * MIB);
    expect(new LabMemory(plan(48, 1)).heapBytesOf('n0')).toBe(16 * MIB);
    expect(new LabMemory(plan(1000, 20)).heapBytesOf('n0')).toBe(MIB);
  });

  it('is as the lab file says, and the others share the rest', () => {
    const some = plan(16, 1);
    const [first, second] = some.nodes as [LabPlan['nodes'][number], LabPlan['nodes'][number]];
    first.memoryBytes = 3 * MIB + 1;
    second.memoryBytes = 512 * MIB;
    const memory = new LabMemory(some);
    expect(memory.heapBytesOf('n0')).toBe(3 * MIB + 64 * KIB);
    expect(memory.heapBytesOf('n1')).toBe(512 * MIB);
    // (768 - 512 - 3.0625) MiB / 14, in whole pages of 64 KiB
    expect(memory.heapBytesOf('n2')).toBe(289 * 64 * KIB);
  });

  it('that is too much is refused in a line that says what it would be for', () => {
    expect(() => new LabMemory(plan(1000, 5))).toThrow(
      expect.objectContaining({
        code: 'ENOMEM',
        message:
          'big: 1000 nodes need 4.3 GiB of shared memory, and 2 GiB is the most: 1.2 GiB for kernels, 3.1 GiB for rings between them ' +
          '(lan0: 200 nodes, 39800 rings of 17 KiB; more networks of fewer nodes need fewer)',
      }),
    );
    expect(() => new LabMemory(plan(10, 1, '64MiB'))).toThrow(
      /^big: 10 nodes need 6\.\d GiB .* \(lan0: 10 nodes, 90 rings of 65\d\d\d KiB; /,
    );
  });
});
