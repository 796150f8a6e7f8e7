#!/usr/bin/env node
/** Entry of `nc` as a command of its own. Thread: the main thread of the command. */

import { nc } from '../nc.ts';
import { main } from './main.ts';

void main(nc);
