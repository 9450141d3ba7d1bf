import { rgb } from 'd3-color';
import { describe, expect, it } from 'vitest';
import { coloursOf, pixelOf, tableOf } from './colours';
import { schemes } from './schemes';

/** How light a colour looks, 0 to 1: relative luminance as WCAG defines it. */
function luminance(colour: string): number {
  const { r, g, b } = rgb(colour);
  const linear = (c: number) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

describe.each(schemes.map((scheme) => [scheme.name, scheme] as const))('%s', (name, scheme) => {
  it.each([2, 64, 128])('has %i colours', (steps) => {
    const colours = coloursOf(name, steps, true);
    expect(colours).toHaveLength(steps);
    expect(colours.every((colour) => /^#[0-9a-f]{6}$/.test(colour))).toBe(true);
  });

  if (scheme.sequential) {
    it('is brightest when hot on a dark background, and darkest when hot on a light one', () => {
      const dark = coloursOf(name, 16, true).map(luminance);
      const light = coloursOf(name, 16, false).map(luminance);
      expect(dark[15]).toBe(Math.max(...dark));
      expect(light[15]).toBe(Math.min(...light));
    });
  }

  if (scheme.diverging) {
    it('has its middle nearest to the background, and two ends that both stand out', () => {
      for (const onDark of [true, false]) {
        const levels = coloursOf(name, 17, onDark).map((colour) => luminance(colour) * (onDark ? 1 : -1));
        expect(levels[8]).toBe(Math.min(...levels));
        const [cold, hot] = [levels[0] - levels[8], levels[16] - levels[8]];
        expect(Math.min(cold, hot)).toBeGreaterThan(Math.max(cold, hot) / 3);
      }
    });

    it('is warmer at its hot end than at its cold one', () => {
      for (const onDark of [true, false]) {
        const [cold, hot] = [0, 16].map((step) => rgb(coloursOf(name, 17, onDark)[step])).map(({ r, b }) => r - b);
        expect(hot).toBeGreaterThan(cold);
      }
    });
  }

  it('runs the other way when reversed', () => {
    expect(coloursOf(name, 9, true, true)).toEqual(coloursOf(name, 9, true).reverse());
  });
});

it('a scheme that is not known is the default', () => {
  expect(coloursOf('no such scheme', 8, true)).toEqual(coloursOf(schemes[0].name, 8, true));
});

describe('a colour table', () => {
  it('is clear first, and then has the bytes of each colour in the order of a canvas', () => {
    const bytes = new Uint8Array(tableOf(['#010203', 'rgb(255, 128, 0)']).buffer);
    expect([...bytes]).toEqual([0, 0, 0, 0, 1, 2, 3, 255, 255, 128, 0, 255]);
  });

  it('has pixels, which other colours can be turned into, too', () => {
    expect(tableOf(['#808080'])[1]).toBe(pixelOf('#808080'));
  });
});
