/** Draws a grid of numbers fast; knows nothing of Grafana. */
export { coloursOf, schemes, tableOf } from './colours';
export { type Edges, type Grid, heatOn, type Ramp } from './draw';
export type { Picture } from './painter';
export { type Place, Surface } from './surface';
