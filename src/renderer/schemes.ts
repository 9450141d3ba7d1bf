import * as chromatic from 'd3-scale-chromatic';

/** A colour scheme that heat can be shown in. */
export interface Scheme {
  /** As d3-scale-chromatic calls it. */
  name: string;
  interpolate: (t: number) => string;
  /** Whether it runs from one lightness to the other, so that its cold end can fade into the background. */
  sequential: boolean;
  /** Whether t = 0 is the dark end of a sequential scheme. */
  startsDark?: boolean;
  /** Whether it runs from a middle to two ends, for ramps with a midpoint. The middle is its light end. */
  diverging?: boolean;
  /**
   * Whether it can be read by people who cannot tell red from green: those
   * that colorbrewer2.org calls so, and those that rise in lightness only.
   */
  isSafe: boolean;
}

const sequential = (startsDark: boolean) => (name: string, interpolate: Scheme['interpolate']) => ({
  ...{ name, interpolate, startsDark },
  sequential: true,
  isSafe: true,
});
const fromDark = sequential(true);
const fromLight = sequential(false);

/** They have their warm end at t = 0, which is to be the hot one. */
const diverging = (name: string, interpolate: Scheme['interpolate'], isSafe: boolean) => ({
  ...{ name, isSafe },
  interpolate: (t: number) => interpolate(1 - t),
  sequential: false,
  diverging: true,
});
const colourful = (name: string, interpolate: Scheme['interpolate']) => ({
  ...{ name, interpolate },
  sequential: false,
  isSafe: false,
});

/** The schemes to choose from, the default first: all that d3-scale-chromatic has for numbers. */
export const schemes: Scheme[] = [
  fromDark('Inferno', chromatic.interpolateInferno),
  fromDark('Magma', chromatic.interpolateMagma),
  fromDark('Plasma', chromatic.interpolatePlasma),
  fromDark('Viridis', chromatic.interpolateViridis),
  fromDark('Cividis', chromatic.interpolateCividis),
  fromDark('Warm', chromatic.interpolateWarm),
  fromDark('Cool', chromatic.interpolateCool),
  fromDark('Cubehelix', chromatic.interpolateCubehelixDefault),
  fromLight('Blues', chromatic.interpolateBlues),
  fromLight('Greens', chromatic.interpolateGreens),
  fromLight('Greys', chromatic.interpolateGreys),
  fromLight('Oranges', chromatic.interpolateOranges),
  fromLight('Purples', chromatic.interpolatePurples),
  fromLight('Reds', chromatic.interpolateReds),
  fromLight('BuGn', chromatic.interpolateBuGn),
  fromLight('BuPu', chromatic.interpolateBuPu),
  fromLight('GnBu', chromatic.interpolateGnBu),
  fromLight('OrRd', chromatic.interpolateOrRd),
  fromLight('PuBu', chromatic.interpolatePuBu),
  fromLight('PuBuGn', chromatic.interpolatePuBuGn),
  fromLight('PuRd', chromatic.interpolatePuRd),
  fromLight('RdPu', chromatic.interpolateRdPu),
  fromLight('YlGn', chromatic.interpolateYlGn),
  fromLight('YlGnBu', chromatic.interpolateYlGnBu),
  fromLight('YlOrBr', chromatic.interpolateYlOrBr),
  fromLight('YlOrRd', chromatic.interpolateYlOrRd),
  diverging('RdBu', chromatic.interpolateRdBu, true),
  // The one whose warm end is at t = 1.
  diverging('PuOr', (t) => chromatic.interpolatePuOr(1 - t), true),
  diverging('BrBG', chromatic.interpolateBrBG, true),
  diverging('PRGn', chromatic.interpolatePRGn, true),
  diverging('PiYG', chromatic.interpolatePiYG, true),
  diverging('RdYlBu', chromatic.interpolateRdYlBu, true),
  diverging('RdGy', chromatic.interpolateRdGy, false),
  diverging('RdYlGn', chromatic.interpolateRdYlGn, false),
  diverging('Spectral', chromatic.interpolateSpectral, false),
  colourful('Turbo', chromatic.interpolateTurbo),
  colourful('Rainbow', chromatic.interpolateRainbow),
  colourful('Sinebow', chromatic.interpolateSinebow),
];
