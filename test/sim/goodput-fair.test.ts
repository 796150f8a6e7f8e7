import { describeFairness } from './goodput-rows.ts';

describeFairness();
