import { describe, expect, it } from 'vitest';
import { draw, type Edges, spansOf } from './draw';
import type { Ramp } from './ramp';
import { Toner, toneTable } from './tones';

const ramp: Ramp = { min: 1, max: 9, scale: 'linear', steps: 9 };

/** Cells of equal width from the start of the axis. */
function even(cells: number, pixels: number): Edges {
  const edge = (i: number) => (i * pixels) / cells;
  return {
    from: Float32Array.from({ length: cells }, (_, i) => edge(i)),
    to: Float32Array.from({ length: cells }, (_, i) => edge(i + 1)),
  };
}

/** The same cells, with the first at the far end, as rows lie on a screen. */
function upwards({ from, to }: Edges): Edges {
  return { from: from.toReversed(), to: to.toReversed() };
}

/**
 * Draws a drawing. Digits are counts, a dot is no cell. What comes back is in
 * the same signs, since the ramp has a level for each digit.
 */
function drawn(drawing: string[], width: number, height: number, gap = 0): string[] {
  const rows = drawing.length;
  const columns = drawing[0].length;
  const values = new Float32Array(columns * rows);
  drawing.toReversed().forEach((line, row) => {
    [...line].forEach((sign, column) => (values[column * rows + row] = sign === '.' ? NaN : Number(sign)));
  });
  const x = spansOf(even(columns, width), width, gap);
  const y = spansOf(upwards(even(rows, height)), height, gap);
  const table = Uint32Array.from({ length: ramp.steps + 1 }, (_, level) => 1000 + level);
  const pixels = new Uint32Array(width * height);
  const tones = new Uint8Array(values.length);
  new Toner(ramp).fill(tones, values);
  draw(tones, rows, x, y, toneTable(ramp, table), pixels);
  return Array.from({ length: height }, (_, line) =>
    Array.from(pixels.subarray(line * width, (line + 1) * width), (p) => (p === 1000 ? '.' : String(p - 1000))).join('')
  );
}

/** The level that is drawn where all cells share one pixel; 500 where they are muted. */
function squeezed(values: Float32Array, ramp: Ramp, muted?: Uint8Array): number {
  const tones = new Uint8Array(values.length);
  new Toner(ramp).fill(tones, values, muted);
  const table = toneTable(
    ramp,
    Uint32Array.from({ length: ramp.steps + 1 }, (_, level) => level),
    500
  );
  const pixels = new Uint32Array(1);
  draw(tones, 2, spansOf(even(values.length / 2, 1), 1), spansOf(even(2, 1), 1), table, pixels);
  return pixels[0];
}

describe('a drawing of known cells', () => {
  it('comes out as it is where a cell is a pixel', () => {
    const drawing = [
      '..9.', //
      '1.5.',
      '2347',
    ];
    expect(drawn(drawing, 4, 3)).toEqual(drawing);
  });

  it('fills the pixels of a large cell and nothing beside it', () => {
    expect(
      drawn(
        [
          '3.', //
          '.8',
        ],
        6,
        4
      )
    ).toEqual([
      '333...', //
      '333...',
      '...888',
      '...888',
    ]);
  });

  it('leaves the gap clear at the far end of each cell', () => {
    expect(drawn(['38'], 8, 3, 1)).toEqual([
      '333.888.', //
      '333.888.',
      '........',
    ]);
  });

  it('gives up the gap where cells have no room for it', () => {
    expect(drawn(['38'], 4, 2, 1)).toEqual([
      '3388', //
      '3388',
    ]);
  });
});

describe('more cells than pixels', () => {
  it('shows the hottest of the cells in a pixel', () => {
    expect(
      drawn(
        [
          '1192', //
          '3114',
        ],
        2,
        1
      )
    ).toEqual(['39']);
  });

  it.each([
    ['the first', 0],
    ['one in the middle', 512],
    ['the last', 1023],
  ])('keeps a lone hot cell: %s of a million', (_, at) => {
    const cells = Array.from({ length: 1024 }, () => '.'.repeat(1024));
    cells[at] = '.'.repeat(at) + '9' + '.'.repeat(1023 - at);
    const picture = drawn(cells, 100, 37);
    expect(picture.join('').replaceAll('.', '')).toBe('9');
    expect(picture[Math.floor((at * 37) / 1024)][Math.floor((at * 100) / 1024)]).toBe('9');
  });

  it('shows what is farthest from the midpoint where there is one, on either side', () => {
    const values = Float32Array.of(-0.9, 0.2, 0.1, -0.1);
    const diverging: Ramp = { min: -1, max: 1, midpoint: 0, scale: 'linear', steps: 4 };
    expect(squeezed(values, diverging)).toBe(1);
    expect(
      squeezed(
        values.map((value) => -value),
        diverging
      )
    ).toBe(4);
  });

  it('shows a muted cell only where no other is', () => {
    const values = Float32Array.of(9, 1, NaN, NaN);
    expect(squeezed(values, ramp, Uint8Array.of(1, 0, 0, 0))).toBe(1);
    expect(squeezed(values, ramp, Uint8Array.of(1, 1, 0, 0))).toBe(500);
  });

  it('shows every cell in some pixel, and each pixel only cells that touch it', () => {
    const cells = 977;
    const pixels = 100;
    const edges = even(cells, pixels);
    const { first, last } = spansOf(edges, pixels);
    const seen = new Set<number>();
    for (let pixel = 0; pixel < pixels; pixel++) {
      for (let cell = first[pixel]; cell <= last[pixel]; cell++) {
        seen.add(cell);
        expect(edges.from[cell]).toBeLessThan(pixel + 1.5);
        expect(edges.to[cell]).toBeGreaterThan(pixel - 0.5);
      }
    }
    expect(seen.size).toBe(cells);
  });
});

describe('cells that lie elsewhere', () => {
  it('are not drawn outside of the canvas', () => {
    const { first } = spansOf({ from: Float32Array.of(-20, 30), to: Float32Array.of(-10, 40) }, 5);
    expect([...first]).toEqual([-1, -1, -1, -1, -1]);
  });

  it('are cut at its edge', () => {
    const { first } = spansOf({ from: Float32Array.of(-20, 3), to: Float32Array.of(2, 40) }, 5);
    expect([...first]).toEqual([0, 0, -1, 1, 1]);
  });

  it('may leave room between them', () => {
    const { first } = spansOf({ from: Float32Array.of(0, 4), to: Float32Array.of(1, 5) }, 5);
    expect([...first]).toEqual([0, -1, -1, -1, 1]);
  });
});
