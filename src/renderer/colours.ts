import { lab, rgb } from 'd3-color';
import { schemes } from './schemes';

/** How much of the cold end of a sequential scheme is left out, so that the coldest cell can be told from the background. */
const invisible = 0.2;

/**
 * The colours of `steps` levels, coldest first, as CSS colours. The cold end
 * of a sequential scheme, and the middle of a diverging one, is nearest to the
 * background. A name that is not in [schemes] gets the default.
 */
export function coloursOf(name: string, steps: number, onDark: boolean, reverse = false): string[] {
  const scheme = schemes.find((s) => s.name === name) ?? schemes[0];
  const flip = scheme.sequential && scheme.startsDark !== onDark;
  return Array.from({ length: steps }, (_, step) => {
    let t = steps > 1 ? step / (steps - 1) : 1;
    t = reverse ? 1 - t : t;
    t = scheme.sequential ? invisible + t * (1 - invisible) : t;
    const colour = scheme.interpolate(flip ? 1 - t : t);
    return (scheme.diverging && onDark ? inverted(colour) : rgb(colour)).formatHex();
  });
}

/** The same hue, as dark as it was light. */
function inverted(colour: string) {
  const { l, a, b } = lab(colour);
  return rgb(lab(100 - l, a, b));
}

/** The table of a [Picture]: clear, then a pixel for each colour. */
export function tableOf(colours: string[]): Uint32Array<ArrayBuffer> {
  return Uint32Array.from([0, ...colours.map(pixelOf)]);
}

/** A CSS colour as a canvas keeps it: four bytes in a number, whichever way this machine has them. */
export function pixelOf(colour: string): number {
  const { r, g, b, opacity } = rgb(colour);
  return new Uint32Array(Uint8ClampedArray.of(r, g, b, 255 * opacity).buffer)[0];
}
