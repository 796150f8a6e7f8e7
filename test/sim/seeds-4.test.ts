import { describeSeeds } from './seeds.ts';

describeSeeds(4, 4);
