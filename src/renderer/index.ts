/** Draws a grid of numbers fast; knows nothing of Grafana. */
export { coloursOf, pixelOf, tableOf } from './colours';
export type { Edges, Grid } from './draw';
export { heightsOf, type Measure, measured } from './measure';
export type { Painting, Picture, PointPicture } from './painter';
export { sigmas } from './points/gaussian';
export type { ClosedRamp, OpenRamp } from './points/ramp';
export { maxPoints, type Points, type Spray } from './points/spray';
export { heatOn, levelOn, type Ramp, ranksOf } from './ramp';
export { see, type Summary, type Values } from './summary';
export { type Place, summarise, Surface } from './surface';
export { type Scheme, schemes } from './schemes';
export { bytesOf, countsOfWire, MalformedCells, maxWireCells, type WireGrid } from './wire';
