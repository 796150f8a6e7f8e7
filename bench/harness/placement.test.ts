import { expect, it } from 'vitest';
import { combined, NEAR_RTT_NS, placementOf } from './placement.ts';

it('marks a repetition by the round trips on both sides of it', () => {
  expect(placementOf(100, 120)).toBe('near');
  expect(placementOf(NEAR_RTT_NS, NEAR_RTT_NS)).toBe('near');
  expect(placementOf(NEAR_RTT_NS + 1, 550)).toBe('far');
  expect(placementOf(100, 550)).toBe('mixed');
  expect(placementOf(550, 100)).toBe('mixed');
});

it('knows nothing when a round trip could not be measured', () => {
  expect(placementOf(null, 100)).toBe('unknown');
  expect(placementOf(100, null)).toBe('unknown');
});

it('calls repetitions that differ mixed', () => {
  expect(combined(['near', 'near'])).toBe('near');
  expect(combined(['far'])).toBe('far');
  expect(combined(['near', 'far'])).toBe('mixed');
  expect(combined(['unknown', 'near'])).toBe('mixed');
  expect(combined([])).toBe('unknown');
});
