/** Paints the canvases that are handed to it, away from the page's thread. */
import { Painter, type Picture } from './painter';

/** What the page says. A canvas is named by a number that the page chooses. */
export type Order =
  | { kind: 'open'; surface: number; canvas: OffscreenCanvas }
  | { kind: 'paint'; surface: number; picture: Picture }
  | { kind: 'close'; surface: number };

/** What the worker says. */
export type Answer = { kind: 'ready' } | { kind: 'painted'; surface: number };

// The page's types are loaded, not a worker's: this is the little of it that is used.
const page = self as unknown as {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(answer: Answer): void;
};

const painters = new Map<number, Painter>();

page.onmessage = ({ data: order }) => {
  switch (order.kind) {
    case 'open':
      painters.set(order.surface, new Painter(order.canvas));
      break;
    case 'paint':
      painters.get(order.surface)?.paint(order.picture);
      page.postMessage({ kind: 'painted', surface: order.surface });
      break;
    case 'close':
      painters.delete(order.surface);
  }
};

page.postMessage({ kind: 'ready' });
