import type { Drops, Ink, Shape } from './ink';
import { kernel } from './kernel.gen';

/** What kernel/kernel.ts exports. Addresses are in bytes, lengths in floats. */
interface Exports {
  memory: WebAssembly.Memory;
  splat(
    field: number,
    stride: number,
    taps: number,
    count: number,
    padded: number,
    cells: number,
    weights: number,
    n: number
  ): void;
  bin(bins: number, middle: number, cells: number, weights: number, n: number): void;
  blurUp(from: number, to: number, length: number, taps: number, radius: number): void;
  blurAcross(from: number, field: number, stride: number, columns: number, taps: number, radius: number): void;
  shade(
    field: number,
    stride: number,
    to: number,
    columns: number,
    rows: number,
    factor: number,
    faintest: number
  ): number;
}

/** Drops are handed over in parts of so many. */
const most = 1 << 14;
const pageBytes = 1 << 16;

let compiled: WebAssembly.Module | undefined;
let isRefused = false;

/** Compiles the kernel, once; undefined where a content security policy forbids it, or the processor has no SIMD. */
function compile(): WebAssembly.Module | undefined {
  if (!compiled && !isRefused) {
    try {
      compiled = new WebAssembly.Module(Uint8Array.from(atob(kernel), (c) => c.charCodeAt(0)));
    } catch {
      isRefused = true;
    }
  }
  return compiled;
}

/**
 * Ink in the memory of a WebAssembly program that adds it four pixels at a
 * time. That memory has these, one after the other; the last once it is needed:
 *
 *     taps | cells | weights | field | aside | scratch | aside | bins | aside
 *
 * What is aside stays empty: it is as much as ink reaches beyond the others.
 */
export class SimdInk implements Ink {
  readonly by = 'simd';
  private readonly cells: number;
  private readonly weights: number;
  private readonly start: number;
  private readonly aside: number;
  private readonly scratch: number;
  private bins?: number;

  private constructor(
    private readonly shape: Shape,
    private readonly exports: Exports
  ) {
    this.cells = 4 * shape.taps.length;
    this.weights = this.cells + 4 * most;
    this.start = this.weights + 4 * most;
    this.aside = 4 * shape.radius * shape.stride;
    this.scratch = this.start + this.room + this.aside;
    this.need(this.scratch + this.room + this.aside);
    new Float32Array(exports.memory.buffer).set(shape.taps);
  }

  /** Undefined where there is no WebAssembly, or none with SIMD, or no memory. */
  static open(shape: Shape): SimdInk | undefined {
    const module = compile();
    if (!module) {
      return undefined;
    }
    try {
      return new SimdInk(shape, new WebAssembly.Instance(module).exports as unknown as Exports);
    } catch (error) {
      if (error instanceof RangeError) {
        return undefined;
      }
      throw error;
    }
  }

  get field() {
    return new Float32Array(this.exports.memory.buffer as ArrayBuffer, this.start, this.room / 4);
  }

  splat(drops: Drops) {
    const { taps, radius, stride } = this.shape;
    this.handOver(drops, (n) =>
      this.exports.splat(this.start, stride, 0, 2 * radius + 1, taps.length, this.cells, this.weights, n)
    );
  }

  blur(drops: Drops) {
    const { exports, scratch, start } = this;
    const { radius, stride, columns } = this.shape;
    if (this.bins === undefined) {
      this.bins = scratch + this.room + this.aside;
      this.need(this.bins + this.room + this.aside);
    }
    const { bins } = this;
    new Float32Array(exports.memory.buffer, bins, this.room / 4).fill(0);
    this.handOver(drops, (n) => exports.bin(bins, radius * stride + radius, this.cells, this.weights, n));
    exports.blurUp(bins, scratch, columns * stride, 0, radius);
    exports.blurAcross(scratch, start, stride, columns, 0, radius);
  }

  shade(factor: number, faintest: number, to: Float32Array): number {
    const { exports, scratch } = this;
    const { width, height, margin, stride } = this.shape;
    const first = this.start + 4 * (margin * stride + margin);
    const greatest = exports.shade(first, stride, scratch, width, height, factor, faintest);
    to.set(new Float32Array(exports.memory.buffer, scratch, width * height));
    return greatest;
  }

  /** The bytes of an array that has a float for each pixel, and some more. */
  private get room() {
    return 4 * (this.shape.columns * this.shape.stride + 4);
  }

  private need(bytes: number) {
    const { memory } = this.exports;
    const missing = bytes - memory.buffer.byteLength;
    if (missing > 0) {
      memory.grow(Math.ceil(missing / pageBytes));
    }
  }

  private handOver({ cells, weights }: Drops, take: (n: number) => void) {
    const { buffer } = this.exports.memory;
    const [ours, theirs] = [new Int32Array(buffer, this.cells, most), new Float32Array(buffer, this.weights, most)];
    for (let from = 0; from < cells.length; from += most) {
      const n = Math.min(most, cells.length - from);
      ours.set(cells.subarray(from, from + n));
      theirs.set(weights.subarray(from, from + n));
      take(n);
    }
  }
}
