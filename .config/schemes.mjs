// Writes the colours of every scheme for gotherm-agent render, which draws with
// the same: `npm run generate:schemes` bundles this and keeps what it prints.
import { coloursOf } from '../src/renderer/colours';
import { schemes } from '../src/renderer/schemes';

/** How many levels the panel has when nothing else is chosen. */
const steps = 64;

const lines = schemes.map(({ name }) =>
  JSON.stringify({ name, dark: coloursOf(name, steps, true), light: coloursOf(name, steps, false) })
);
process.stdout.write(`[\n${lines.join(',\n')}\n]\n`);
