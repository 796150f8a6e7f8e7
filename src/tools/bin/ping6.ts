#!/usr/bin/env node
/** Entry of `ping6` as a command of its own. Thread: the main thread of the command. */

import { ping6 } from '../ping6.ts';
import { main } from './main.ts';

void main(ping6);
