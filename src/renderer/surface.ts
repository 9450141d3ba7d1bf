import { Painter, type Picture } from './painter';
import type { Answer, Order } from './worker';
import { source, url } from './worker?worker';

/** Where a surface's pictures are painted. */
export type Place = 'blob worker' | 'url worker' | 'page';

/** How long a worker may take to say that it is ready before the next way is tried. */
const patience = 3000;

interface Hand {
  worker: Worker;
  place: Place;
}

/**
 * One worker paints all surfaces of the page. It is started with the first
 * surface and ended with the last:
 *
 *  1. from a blob of its source, which needs no further request and works
 *     where the plugin's files come from another host;
 *  2. from its address, where the content security policy forbids blobs. That
 *     failure comes as an event, not as an exception, and a worker that is
 *     blocked otherwise may say nothing at all: hence the patience;
 *  3. not at all, where neither works or there is no OffscreenCanvas: the
 *     page paints, with the same code.
 */
let hand: Promise<Hand | undefined> | undefined;
/** Set when a worker died at work: another would, too. */
let givenUp = false;
const surfaces = new Map<number, Surface>();
let next = 0;

function start(): Promise<Hand | undefined> {
  if (givenUp || typeof Worker === 'undefined' || !('transferControlToOffscreen' in HTMLCanvasElement.prototype)) {
    return Promise.resolve(undefined);
  }
  return tryStart('blob worker', () => {
    const address = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    return { worker: new Worker(address), release: () => URL.revokeObjectURL(address) };
  })
    .catch(() => tryStart('url worker', () => ({ worker: new Worker(url), release: () => {} })))
    .catch(() => undefined);
}

async function tryStart(place: Place, make: () => { worker: Worker; release: () => void }): Promise<Hand> {
  const { worker, release } = make();
  try {
    await new Promise<void>((ready, fail) => {
      const timer = setTimeout(() => fail(new Error(`${place} said nothing for ${patience} ms`)), patience);
      worker.onmessage = () => {
        clearTimeout(timer);
        ready();
      };
      worker.onerror = (event) => {
        event.preventDefault();
        clearTimeout(timer);
        fail(new Error(`${place}: ${event.message || 'blocked'}`));
      };
    });
  } catch (error) {
    worker.terminate();
    throw error;
  } finally {
    release();
  }
  worker.onmessage = ({ data: answer }: MessageEvent<Answer>) => {
    if (answer.kind === 'painted') {
      surfaces.get(answer.surface)?.painted();
    }
  };
  worker.onerror = () => {
    worker.terminate();
    givenUp = true;
    hand = undefined;
    for (const surface of [...surfaces.values()]) {
      surface.lose();
    }
  };
  return { worker, place };
}

/** A canvas in the page whose pixels are painted elsewhere. Close it when it is no longer shown. */
export class Surface {
  /** How many pictures have been painted. */
  paintings = 0;
  readonly canvas: HTMLCanvasElement;
  private readonly id = next++;
  private open = true;
  private worker?: Worker;
  private painter?: Painter;
  private busy = true;
  private waiting?: Picture;

  /**
   * Appends a canvas to `parent`. `onLost` is called when the worker died: the
   * surface is closed then, and a new one, with a new canvas, is needed.
   */
  constructor(
    parent: HTMLElement,
    private readonly onLost: () => void
  ) {
    this.canvas = parent.ownerDocument.createElement('canvas');
    parent.append(this.canvas);
    surfaces.set(this.id, this);
    hand ??= start();
    hand.then((started) => this.begin(started));
  }

  /**
   * Shows a picture, soon. While one is being painted only the newest of those
   * that come meanwhile is kept. The buffers of the picture's grid are given
   * away: do not use them again.
   */
  show(picture: Picture) {
    if (this.busy) {
      this.waiting = { ...picture, grid: picture.grid ?? this.waiting?.grid };
      return;
    }
    if (this.painter) {
      this.painter.paint(picture);
      this.count();
      return;
    }
    this.busy = true;
    const transfer = picture.grid ? [picture.grid.values.buffer] : [];
    this.order({ kind: 'paint', surface: this.id, picture }, transfer);
  }

  close() {
    if (!this.open) {
      return;
    }
    this.open = false;
    this.order({ kind: 'close', surface: this.id });
    this.canvas.remove();
    surfaces.delete(this.id);
    if (surfaces.size === 0) {
      hand?.then((ended) => ended?.worker.terminate());
      hand = undefined;
    }
  }

  private begin(started?: Hand) {
    if (!this.open) {
      return;
    }
    this.canvas.dataset.painted = started?.place ?? 'page';
    if (started) {
      this.worker = started.worker;
      const canvas = this.canvas.transferControlToOffscreen();
      this.order({ kind: 'open', surface: this.id, canvas }, [canvas]);
    } else {
      this.painter = new Painter(this.canvas);
    }
    this.proceed();
  }

  /** Called when the worker has painted a picture. */
  painted() {
    this.count();
    this.proceed();
  }

  /** Called when the worker is no more. */
  lose() {
    this.worker = undefined;
    this.close();
    this.onLost();
  }

  private proceed() {
    this.busy = false;
    const picture = this.waiting;
    this.waiting = undefined;
    if (picture) {
      this.show(picture);
    }
  }

  private count() {
    this.paintings++;
    this.canvas.dataset.paintings = String(this.paintings);
  }

  private order(order: Order, transfer: Transferable[] = []) {
    this.worker?.postMessage(order, transfer);
  }
}
