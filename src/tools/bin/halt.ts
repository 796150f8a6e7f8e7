#!/usr/bin/env node
/** Entry of `halt` as a command of its own. Thread: the main thread of the command. */

import { halt } from '../halt.ts';
import { main } from './main.ts';

void main(halt);
