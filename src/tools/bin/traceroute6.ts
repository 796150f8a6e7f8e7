#!/usr/bin/env node
/** Entry of `traceroute6` as a command of its own. Thread: the main thread of the command. */

import { traceroute6 } from '../traceroute6.ts';
import { main } from './main.ts';

void main(traceroute6);
