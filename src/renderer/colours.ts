import { lab, rgb } from 'd3-color';
import * as chromatic from 'd3-scale-chromatic';

/** A colour scheme that heat can be shown in. */
export interface Scheme {
  name: string;
  interpolate: (t: number) => string;
  /** Whether it runs from one lightness to the other, so that its cold end can fade into the background. */
  sequential: boolean;
  /** Whether t = 0 is the dark end of a sequential scheme. */
  startsDark?: boolean;
  /** Whether it runs from a middle to two ends, for ramps with a midpoint. The middle is its light end. */
  diverging?: boolean;
}

const fromDark = { sequential: true, startsDark: true };
const fromLight = { sequential: true, startsDark: false };
const fromMiddle = { sequential: false, diverging: true };

/** The schemes to choose from, the default first. */
export const schemes: Scheme[] = [
  { name: 'Inferno', interpolate: chromatic.interpolateInferno, ...fromDark },
  { name: 'Magma', interpolate: chromatic.interpolateMagma, ...fromDark },
  { name: 'Plasma', interpolate: chromatic.interpolatePlasma, ...fromDark },
  { name: 'Viridis', interpolate: chromatic.interpolateViridis, ...fromDark },
  { name: 'Cividis', interpolate: chromatic.interpolateCividis, ...fromDark },
  { name: 'Warm', interpolate: chromatic.interpolateYlOrRd, ...fromLight },
  { name: 'Oranges', interpolate: chromatic.interpolateOranges, ...fromLight },
  { name: 'Reds', interpolate: chromatic.interpolateReds, ...fromLight },
  { name: 'Greens', interpolate: chromatic.interpolateGreens, ...fromLight },
  { name: 'Blues', interpolate: chromatic.interpolateBlues, ...fromLight },
  { name: 'Purples', interpolate: chromatic.interpolatePurples, ...fromLight },
  { name: 'Greys', interpolate: chromatic.interpolateGreys, ...fromLight },
  { name: 'Turbo', interpolate: chromatic.interpolateTurbo, sequential: false },
  { name: 'Spectral', interpolate: (t) => chromatic.interpolateSpectral(1 - t), sequential: false },
  // ColorBrewer calls these two safe for people who cannot tell red from green.
  { name: 'Blue-Red', interpolate: (t) => chromatic.interpolateRdBu(1 - t), ...fromMiddle },
  { name: 'Teal-Brown', interpolate: (t) => chromatic.interpolateBrBG(1 - t), ...fromMiddle },
];

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
