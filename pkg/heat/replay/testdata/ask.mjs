// Asks the program what standard input says, in JSON, and prints what it answered.
//
//   node ask.mjs wasm_exec.js heat.wasm
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [exec, wasm] = process.argv.slice(2);
createRequire(import.meta.url)(exec);
const go = new globalThis.Go();
const { instance } = await WebAssembly.instantiate(readFileSync(wasm), go.importObject);
go.run(instance);
const { exports } = instance;
const bytes = (at, length) => new Uint8Array(exports.mem.buffer, at, length);

const answers = JSON.parse(readFileSync(0, 'utf8')).map(({ call, with: numbers, room }) => {
  const put = Buffer.from(room ?? '', 'base64');
  bytes(exports.room(put.length), put.length).set(put);
  const well = Boolean(exports[call](...(numbers ?? []).map(Number)));
  const answer = Buffer.from(bytes(exports.answerAt(), exports.answerLength()).slice()).toString('base64');
  return { well, answer };
});
writeFileSync(1, JSON.stringify(answers));
process.exit(0);
