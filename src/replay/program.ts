/** What Go's wasm_exec.js defines: it runs a program that was compiled for the browser. */
export interface GoRuntime {
  importObject: WebAssembly.Imports;
  run(instance: WebAssembly.Instance): Promise<void>;
}

/** What pkg/heat/replay exports. */
interface Exports extends WebAssembly.Exports {
  mem: WebAssembly.Memory;
  room(size: number): number;
  answerAt(): number;
  answerLength(): number;
  press(): number;
  open(start: number, step: number, columns: number, rows: number): number;
  cut(sheet: number, from: number, to: number, every: number, parts: number): number;
  closeAll(): void;
}

/** Heat as it is opened: when its columns begin and how wide they are, in milliseconds. */
export interface Opened {
  start: number;
  step: number;
  columns: number;
  rows: number;
}

/** What to cut out of heat: columns of a range of time in milliseconds, every so many added up. */
export interface Cut {
  from: number;
  to: number;
  every: number;
  /** Counts become shares of their column, in so many parts; counts they stay when not set. */
  parts?: number;
}

/** What was cut out. */
export interface Piece {
  /** Of its first column. */
  start: number;
  columns: number;
  /** How many cells are not empty, and the least and the most in one. */
  count: { cells: number; least: number; most: number };
  /** As pkg/heat/cells.go writes them. */
  cells: Uint8Array<ArrayBuffer>;
}

/** The program could not do what it was asked for. The message is its own. */
export class ProgramError extends Error {}

/**
 * Package heat, in the browser: what the back end does with heat before it is
 * sent, where there is no back end. Close it when it is no longer needed.
 */
export class HeatProgram {
  private opened = 0;

  private constructor(private readonly go: Exports) {}

  static async start(runtime: GoRuntime, wasm: BufferSource): Promise<HeatProgram> {
    const { instance } = await WebAssembly.instantiate(wasm, runtime.importObject);
    // It runs until it waits to be called, and does not end.
    void runtime.run(instance);
    return new HeatProgram(instance.exports as Exports);
  }

  /** Writes counts, NaN for a cell without a hit, as cells. Throws [ProgramError]. */
  press(counts: Float64Array): Uint8Array<ArrayBuffer> {
    this.put(new Uint8Array(counts.buffer, counts.byteOffset, counts.byteLength));
    return this.answer(this.go.press());
  }

  /** Opens heat, and gives the number by which to ask for pieces of it. Throws [ProgramError]. */
  open({ start, step, columns, rows }: Opened, cells: Uint8Array): number {
    this.put(cells);
    this.answer(this.go.open(start, step, columns, rows));
    return this.opened++;
  }

  /** Cuts a piece out of heat that was opened: whole columns, so that it is rounded out. Throws [ProgramError]. */
  cut(heat: number, { from, to, every, parts = 0 }: Cut): Piece {
    if (every > 0xffff_ffff) {
      throw new ProgramError(`cut heat: every is ${every}, at most ${0xffff_ffff}`);
    }
    const answer = this.answer(this.go.cut(heat, from, to, every, parts));
    const numbers = new Float64Array(answer.buffer.slice(0, 5 * 8));
    const [start, columns, filled, least, most] = numbers;
    return { start, columns, count: { cells: filled, least, most }, cells: answer.slice(numbers.byteLength) };
  }

  /** Forgets all heat that was opened. */
  close() {
    this.go.closeAll();
    this.opened = 0;
  }

  private put(bytes: Uint8Array) {
    const at = this.go.room(bytes.length) >>> 0;
    // Memory may have grown: views of it do not last.
    new Uint8Array(this.go.mem.buffer, at, bytes.length).set(bytes);
  }

  private answer(isWell: number): Uint8Array<ArrayBuffer> {
    const answer = new Uint8Array(this.go.mem.buffer, this.go.answerAt() >>> 0, this.go.answerLength() >>> 0).slice();
    if (!isWell) {
      throw new ProgramError(new TextDecoder().decode(answer));
    }
    return answer;
  }
}
