import { css } from '@emotion/css';

/**
 * Gives a field with a MultiCombobox its width. Left to itself, the box of
 * Grafana 12.4 fits its width to the values it shows and the values to its
 * width, for ever; and a width it is given is taken for pixels in one place
 * and for units of 8 pixels in another.
 */
export const wideStyles = () => ({ wide: css({ flex: '1 1 260px', minWidth: 0, maxWidth: '440px' }) });

/**
 * Makes a change that a box has reported, once the box has settled. It reports
 * a choice from an effect: where a tap moves the pointer and clicks at once,
 * rendering the change right there makes it report the choice again, without
 * end (downshift 9.0, in Grafana 12.4).
 */
export function settled(change: () => void) {
  setTimeout(change);
}
