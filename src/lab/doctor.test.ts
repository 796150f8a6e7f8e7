import { expect, it } from 'vitest';
import { libc, missing } from '../host/node/ffi/libc.ts';
import { machineReport } from './doctor.ts';

it('says whether memory can be shared with processes, and why not', () => {
  const { node, cores, abilities, placement } = machineReport();
  expect(node).toBe(process.version);
  expect(cores).toBeGreaterThan(0);
  const works = libc() !== null;
  expect(abilities).toMatchObject([{ name: 'memory between processes', works }]);
  if (!works) expect(placement).toBe('beside');
  if (!works) expect(abilities[0]?.note).toContain(missing());
});
