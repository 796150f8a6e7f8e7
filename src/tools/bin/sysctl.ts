#!/usr/bin/env node
/** Entry of `sysctl` as a command of its own. Thread: the main thread of the command. */

import { sysctl } from '../sysctl.ts';
import { main } from './main.ts';

void main(sysctl);
