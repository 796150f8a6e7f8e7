#!/usr/bin/env node
/** Entry of `ifconfig` as a command of its own. Thread: the main thread of the command. */

import { ifconfig } from '../ifconfig.ts';
import { main } from './main.ts';

void main(ifconfig);
