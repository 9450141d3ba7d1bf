import { lab, rgb } from 'd3-color';
import { describe, expect, it } from 'vitest';
import { coloursOf, pixelOf, tableOf } from './colours';
import { schemes } from './schemes';

/** How light a colour looks, 0 to 1: relative luminance as WCAG defines it. */
function luminance(colour: string): number {
  const { r, g, b } = rgb(colour);
  const linear = (c: number) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

/** How well two colours can be told apart by their lightness, 1 to 21: contrast as WCAG defines it. */
function contrast(one: string, other: string): number {
  const [more, less] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (more + 0.05) / (less + 0.05);
}

/** How different two colours look, hue and all: about 2 is just seen (CIE 1976). */
function distance(one: string, other: string): number {
  const [a, b] = [lab(one), lab(other)];
  return Math.hypot(a.l - b.l, a.a - b.a, a.b - b.b);
}

/** What is around the cells in Grafana's themes: the background of a panel. */
const backgrounds = [
  { theme: 'dark', onDark: true, background: '#181b1f' },
  { theme: 'light', onDark: false, background: '#ffffff' },
];

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

    it.each(backgrounds)(
      'has ends that are told from each other, from the middle and from a panel that is $theme',
      (on) => {
        const [cold, middle, hot] = [0, 64, 128].map((step) => coloursOf(name, 129, on.onDark)[step]);
        for (const end of [cold, hot]) {
          // What WCAG asks of text.
          expect(contrast(end, on.background)).toBeGreaterThan(4.5);
          expect(contrast(end, middle)).toBeGreaterThan(4.5);
        }
        expect(distance(cold, hot)).toBeGreaterThan(35);
        expect(contrast(middle, on.background)).toBeLessThan(1.25);
      }
    );

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
