#!/usr/bin/env node
/** Entry of `netstat` as a command of its own. Thread: the main thread of the command. */

import { netstat } from '../netstat.ts';
import { main } from './main.ts';

void main(netstat);
