#!/usr/bin/env node
/** Entry of `ndp` as a command of its own. Thread: the main thread of the command. */

import { ndp } from '../ndp.ts';
import { main } from './main.ts';

void main(ndp);
