import { expect, it } from 'vitest';
import { fuzzRequests } from '../fuzz/requests.ts';

it('whatever a lab is asked, whoever asks hears one error and nobody else notices', async () => {
  expect(await fuzzRequests({ questions: 3000, from: 1 })).toBeNull();
}, 600_000);
