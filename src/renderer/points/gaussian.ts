/**
 * The ink of one point, along one axis: a Gaussian at whole pixels from
 * -radius to radius, whose sum is 1. In two dimensions it is the product of
 * both axes, so that a point leaves as much ink as it has weight.
 */
export interface Gaussian {
  /** It ends at three standard deviations, where there is a ninetieth of what is in the middle. */
  radius: number;
  /** 2 radius + 1 of them; then zeros, up to a multiple of 4. */
  taps: Float32Array<ArrayBuffer>;
}

/** The least and the greatest standard deviation, in device pixels. */
export const sigmas = { least: 0.5, greatest: 64 };

/** The Gaussian of a standard deviation in device pixels. */
export function gaussianOf(sigma: number): Gaussian {
  if (!(sigma >= sigmas.least && sigma <= sigmas.greatest)) {
    throw new Error(`points have a sigma of ${sigma} pixels, must be ${sigmas.least} to ${sigmas.greatest}`);
  }
  const radius = Math.ceil(3 * sigma);
  const heights = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)));
  const sum = heights.reduce((total, height) => total + height, 0);
  const taps = new Float32Array(Math.ceil(heights.length / 4) * 4);
  taps.set(heights.map((height) => height / sum));
  return { radius, taps };
}
