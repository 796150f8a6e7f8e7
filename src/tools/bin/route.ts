#!/usr/bin/env node
/** Entry of `route` as a command of its own. Thread: the main thread of the command. */

import { route } from '../route.ts';
import { main } from './main.ts';

void main(route);
