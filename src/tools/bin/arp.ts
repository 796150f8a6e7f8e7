#!/usr/bin/env node
/** Entry of `arp` as a command of its own. Thread: the main thread of the command. */

import { arp } from '../arp.ts';
import { main } from './main.ts';

void main(arp);
