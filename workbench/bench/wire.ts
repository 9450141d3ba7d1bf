/** What workbench/bench/wire.mjs runs in the browser. */
import { Go } from '../../pkg/heat/replay/main.go?go';
import { bytesOf, countsOfWire, gridOfWire } from '../../src/renderer/wire';
import { HeatProgram } from '../../src/replay/program';

/** A part of heat, as workbench/bench/wire/main.go says it. */
interface Sheet {
  start: number;
  step: number;
  columns: number;
  rows: number;
  /** Counts, and what Go made of them as shares, as cells in base64. */
  cells: string;
  shares: string;
}

const parts = 1_000_000;
const turns = 15;

/** The median time in milliseconds of what takes turns, so that all have the same weather. */
function times(ways: Record<string, () => void>): Record<string, number> {
  const took = Object.fromEntries(Object.keys(ways).map((name) => [name, [] as number[]]));
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, run] of Object.entries(ways)) {
      const start = performance.now();
      run();
      took[name].push(performance.now() - start);
    }
  }
  return Object.fromEntries(Object.entries(took).map(([name, all]) => [name, all.sort((a, b) => a - b)[turns >> 1]]));
}

/** How long it takes from the text of each frame to a grid to draw. Of the plain one it is the least that any reader does. */
export function decode(plain: string, compact: string): Record<string, number> {
  const readPlain = () => {
    const [xMax, , yMax, count]: number[][] = JSON.parse(plain).data.values;
    const rowOf = new Map([...new Set(yMax)].sort((a, b) => a - b).map((bound, row) => [bound, row]));
    const columnOf = new Map([...new Set(xMax)].map((end, column) => [end, column]));
    const rows = rowOf.size;
    const values = new Float32Array(columnOf.size * rows).fill(NaN);
    for (let i = 0; i < count.length; i++) {
      values[columnOf.get(xMax[i])! * rows + rowOf.get(yMax[i])!] = count[i];
    }
    return values;
  };
  const readCompact = () => {
    const { schema, data } = JSON.parse(compact);
    const { x, y } = schema.meta.custom.compact;
    return gridOfWire({ columns: x.columns, rows: y.bounds.length - 1, cells: data.values[0][0] }).values;
  };
  const hits = (values: Float32Array) => values.reduce((sum, count) => sum + (count || 0), 0);
  if (hits(readPlain()) !== hits(readCompact())) {
    throw new Error(`${hits(readPlain())} hits in the plain frame, ${hits(readCompact())} in the compact one`);
  }
  return times({ wire_json_decode_ms: readPlain, wire_decode_ms: readCompact });
}

/** How long it takes to make shares of counts and to write them: here, and in Go in the browser. */
export async function normalise(sheet: Sheet, wasm: string): Promise<Record<string, number>> {
  const { rows, columns } = sheet;
  const counts = countsOfWire(sheet);
  const inScript = () => write(sharesOf(counts, columns, rows));
  const start = performance.now();
  const program = await HeatProgram.start(
    new Go(),
    Uint8Array.from(atob(wasm), (c) => c.charCodeAt(0))
  );
  const started = performance.now() - start;
  const heat = program.open(sheet, bytesOf(sheet.cells));
  const all = { from: sheet.start, to: sheet.start + columns * sheet.step, every: 1, parts };
  const inGo = () => program.cut(heat, all).cells;
  const want = bytesOf(sheet.shares);
  for (const [name, found] of Object.entries({ script: inScript(), go: inGo() })) {
    if (found.length !== want.length || found.some((byte, i) => byte !== want[i])) {
      throw new Error(`${name} wrote other cells than the back end: ${found.length} bytes, ${want.length}`);
    }
  }
  return { ...times({ normalise_js_ms: inScript, normalise_go_wasm_ms: inGo }), go_wasm_start_ms: started };
}

function sharesOf(counts: Float64Array, columns: number, rows: number): Float64Array {
  const shares = new Float64Array(counts.length);
  for (let column = 0, start = 0; column < columns; column++, start += rows) {
    let whole = 0;
    for (let cell = start; cell < start + rows; cell++) {
      whole += counts[cell] || 0;
    }
    for (let cell = start; cell < start + rows; cell++) {
      shares[cell] = counts[cell] > 0 ? Math.max(1, Math.round((counts[cell] * parts) / whole)) : 0;
    }
  }
  return shares;
}

function write(values: Float64Array): Uint8Array {
  const bytes = new Uint8Array(values.length * 8);
  let at = 0;
  const put = (n: number) => {
    for (; n >= 0x80; n = Math.floor(n / 0x80)) {
      bytes[at++] = (n & 0x7f) | 0x80;
    }
    bytes[at++] = n;
  };
  let gap = 0;
  for (let i = 0; i < values.length; i++) {
    if (values[i] === 0) {
      gap++;
      continue;
    }
    if (gap > 0) {
      put(2 * gap);
      gap = 0;
    }
    put(2 * values[i] + 1);
  }
  if (gap > 0) {
    put(2 * gap);
  }
  return bytes.subarray(0, at);
}
