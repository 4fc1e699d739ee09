#!/usr/bin/env node
// One program under several names: src/program.ts picks the part by the name it was called by.
require('../dist/program.js').main();
