import { css } from '@emotion/css';

/**
 * Gives a field with a MultiCombobox its width. Left to itself, the box of
 * Grafana 12.4 fits its width to the values it shows and the values to its
 * width, for ever; and a width it is given is taken for pixels in one place
 * and for units of 8 pixels in another.
 */
export const wideStyles = () => ({ wide: css({ width: '440px', flexGrow: 0 }) });
