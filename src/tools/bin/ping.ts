#!/usr/bin/env node
/** Entry of `ping` as a command of its own. Thread: the main thread of the command. */

import { ping } from '../ping.ts';
import { main } from './main.ts';

void main(ping);
