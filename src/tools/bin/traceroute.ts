#!/usr/bin/env node
/** Entry of `traceroute` as a command of its own. Thread: the main thread of the command. */

import { traceroute } from '../traceroute.ts';
import { main } from './main.ts';

void main(traceroute);
