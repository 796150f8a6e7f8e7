#!/usr/bin/env node
/** Entry of `brconfig` as a command of its own. Thread: the main thread of the command. */

import { brconfig } from '../brconfig.ts';
import { main } from './main.ts';

void main(brconfig, brconfig.name);
