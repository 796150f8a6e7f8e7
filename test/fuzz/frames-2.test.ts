import { expect, it } from 'vitest';
import { fuzz } from './fuzz.ts';

/** The files of this name share a million frames, so that they run beside each other. */
it('a quarter of a million frames break nothing', () => {
  expect(fuzz({ frames: 250_000, from: 1001 })).toBeNull();
}, 1_800_000);
