/**
 * Paints the canvases that are handed to it, away from the page's thread.
 *
 *     page                                  worker
 *          <------------------------------  ready
 *     open    surface, canvas  ---------->
 *     paint   surface, picture  --------->
 *          <------------------------------  painted  surface, painting
 *     copy    surface, request  --------->
 *          <------------------------------  copied   surface, request, bitmap or problem
 *     close   surface  ------------------>
 *     sum up  request, values  ---------->
 *          <------------------------------  summed up  request, summary or problem
 *          <------------------------------  repainted  surface, painting
 *
 * Orders are carried out one after the other. A surface has at most one
 * picture on its way: the page holds back what comes meanwhile. What was
 * repainted was not ordered: the picture was lost with what painted it.
 */
import { type By, Painter, type Painting, type Picture, type PointPicture } from './painter';
import type { InkBy } from './points/field';
import { type Summary, summaryOf, type Values } from './summary';

/** What the page says. A canvas is named by a number that the page chooses; so is a request. */
export type Order =
  | { kind: 'open'; surface: number; canvas: OffscreenCanvas; by?: By; inkBy?: InkBy }
  | { kind: 'paint'; surface: number; picture: Picture | PointPicture }
  | { kind: 'copy'; surface: number; request: number }
  | { kind: 'close'; surface: number }
  | { kind: 'sum up'; request: number; values: Values };

/** What the worker says. */
export type Answer =
  | { kind: 'ready' }
  | { kind: 'painted' | 'repainted'; surface: number; painting: Painting }
  | { kind: 'copied'; surface: number; request: number; bitmap?: ImageBitmap; problem?: string }
  | { kind: 'summed up'; request: number; summary?: Summary; problem?: string };

// The page's types are loaded, not a worker's: this is the little of it that is used.
const page = self as unknown as {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(answer: Answer, transfer?: Transferable[]): void;
};

const painters = new Map<number, Painter>();

page.onmessage = ({ data: order }) => {
  if (order.kind === 'sum up') {
    const { request, values } = order;
    try {
      page.postMessage({ kind: 'summed up', request, summary: summaryOf(values) });
    } catch (error) {
      page.postMessage({ kind: 'summed up', request, problem: String(error) });
    }
    return;
  }
  const { surface } = order;
  switch (order.kind) {
    case 'open':
      painters.set(
        surface,
        new Painter(
          order.canvas,
          (painting) => page.postMessage({ kind: 'repainted', surface, painting }),
          order.by,
          order.inkBy
        )
      );
      break;
    case 'paint': {
      const tell = (painting: Painting) => page.postMessage({ kind: 'painted', surface, painting });
      const painting = painters.get(surface)?.paint(order.picture);
      if (painting instanceof Promise) {
        painting.then(tell);
      } else if (painting) {
        tell(painting);
      }
      break;
    }
    case 'copy':
      painters
        .get(surface)
        ?.copy()
        .then(
          (bitmap) => page.postMessage({ kind: 'copied', surface, request: order.request, bitmap }, [bitmap]),
          (error) => page.postMessage({ kind: 'copied', surface, request: order.request, problem: String(error) })
        );
      break;
    case 'close':
      painters.get(surface)?.close();
      painters.delete(surface);
  }
};

page.postMessage({ kind: 'ready' });
