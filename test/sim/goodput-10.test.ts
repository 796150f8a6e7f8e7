import { describeLoss } from './goodput-rows.ts';

describeLoss(10);
