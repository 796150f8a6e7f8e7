#!/usr/bin/env node
/** Entry of `capture` as a command of its own. Thread: the main thread of the command. */

import { capture } from '../capture.ts';
import { main } from './main.ts';

void main(capture);
