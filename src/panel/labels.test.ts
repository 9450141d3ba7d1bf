import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AxisLabel, insideOf, spaced } from './labels';

const labelsAt = (...places: number[]) => places.map((at): AxisLabel => ({ at, text: String(at) }));
const textsOf = (labels: AxisLabel[]) => labels.map(({ text }) => text);
const twelve = () => 12;

describe('the labels of an axis', () => {
  it('are all there where there is room', () => {
    expect(textsOf(spaced(labelsAt(90, 50, 10), twelve, [0, 100]))).toEqual(['90', '50', '10']);
  });

  it('are fewer where there is little', () => {
    expect(textsOf(spaced(labelsAt(30, 25, 20, 15, 10, 5, 0), twelve, [0, 30]))).toEqual(['30', '10']);
  });

  it('give way to those that are to be kept', () => {
    expect(textsOf(spaced(labelsAt(30, 15, 0), twelve, [0, 30], ({ text }) => text === '15'))).toEqual(['15']);
  });

  it('never lie on each other, wherever they are, and the first is always there', () => {
    const places = fc.array(fc.record({ at: fc.float({ min: 0, max: 60, noNaN: true }), text: fc.string() }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(places, fc.integer({ min: 12, max: 60 }), (labels, length) => {
        const kept = spaced(labels, twelve, [0, length]);
        const middles = kept.map(({ at }) => insideOf(at, 12, [0, length])).sort((a, b) => a - b);
        expect(kept[0]).toBe(labels[0]);
        expect(middles.slice(1).every((middle, i) => middle - middles[i] >= 14)).toBe(true);
      })
    );
  });
});
