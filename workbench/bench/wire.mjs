// Measures heat on its way to the browser: the frames of the same million cells
// for every reader and for our panel, gzipped as Grafana sends them, and how long
// it takes to read both; and what is done in the back end, natively and in the
// browser. Prints "name value" lines. Ratios carry over between machines; times do not.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { bundle, launch, root } from './bundle.mjs';

const print = (name, value, digits = 2) => console.log(`${name} ${value.toFixed(digits)}`);

const made = JSON.parse(
  execFileSync('go', ['run', './workbench/bench/wire'], { cwd: root, maxBuffer: 1 << 30, encoding: 'utf8' })
);
const plain = JSON.stringify(made.plain);
const compact = JSON.stringify(made.compact);
const [plainBytes, compactBytes] = [gzipSync(plain).length, gzipSync(compact).length];
print('wire_filled_share', made.filled / made.cells);
print('wire_json_mib', plainBytes / 2 ** 20);
print('wire_mib', compactBytes / 2 ** 20);
print('wire_ratio_1m', plainBytes / compactBytes, 1);
print('wire_ratio_1m_unzipped', plain.length / compact.length, 1);
print('wire_encode_ns_per_cell', made.encodeNsPerCell, 1);

const out = mkdtempSync(path.join(tmpdir(), 'gotherm-bench-'));
try {
  const files = await bundle('wire.ts', out);
  const program = files.find((name) => name.endsWith('.wasm'));
  const wasm = readFileSync(path.join(out, program));
  print('go_wasm_mib', wasm.length / 2 ** 20);
  print('go_wasm_gzip_mib', gzipSync(wasm).length / 2 ** 20);
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.addScriptTag({ path: path.join(out, 'bench.js') });
    const read = await page.evaluate(([p, c]) => globalThis.bench.decode(p, c), [plain, compact]);
    const normalised = await page.evaluate(
      ([s, w]) => globalThis.bench.normalise(s, w),
      [made.small, wasm.toString('base64')]
    );
    Object.entries({ ...read, ...normalised }).forEach(([name, value]) => print(name, value));
    print('normalise_go_native_ms', made.nativeMs);
  } finally {
    await browser.close();
  }
} finally {
  rmSync(out, { recursive: true });
}
