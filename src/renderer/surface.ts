import { type By, Painter, type Painting, type Picture, type PointPicture } from './painter';
import type { InkBy } from './points/field';
import { buffersOf, together } from './points/spray';
import { type Summary, summaryOf, type Values } from './summary';
import type { Answer, Order } from './worker';
import { isWire } from './wire';
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
 * One worker paints all surfaces of the page, and sums values up. It is started
 * with the first surface and ended with the last:
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
    if (answer.kind === 'summed up') {
      const { request, summary, problem } = answer;
      sums.get(request)?.(summary ?? new Error(problem));
    } else if (answer.kind !== 'ready') {
      surfaces.get(answer.surface)?.hear(answer);
    }
  };
  worker.onerror = () => {
    worker.terminate();
    givenUp = true;
    hand = undefined;
    for (const surface of [...surfaces.values()]) {
      surface.lose();
    }
    for (const settle of [...sums.values()]) {
      settle(new Error('the worker died'));
    }
  };
  return { worker, place };
}

/** Ends the worker when nobody has work for it. */
function endIfIdle() {
  if (surfaces.size === 0 && sums.size === 0) {
    hand?.then((ended) => ended?.worker.terminate());
    hand = undefined;
  }
}

/** Who waits for a summary, by the number of the request. */
const sums = new Map<number, (result: Summary | Error) => void>();

/** How long the worker waits for a surface to come, of which it has summed up the values, in ms. */
const idle = 1000;

/**
 * Sums values up, away from the page's thread where there is a worker. Fails
 * where cells are malformed, or the worker dies.
 */
export async function summarise(values: Values): Promise<Summary> {
  const request = next++;
  const summed = new Promise<Summary>((resolve, reject) =>
    sums.set(request, (result) => (result instanceof Error ? reject(result) : resolve(result)))
  );
  try {
    hand ??= start();
    const started = await hand;
    if (!started) {
      return summaryOf(values);
    }
    started.worker.postMessage({ kind: 'sum up', request, values } satisfies Order);
    return await summed;
  } finally {
    sums.delete(request);
    setTimeout(endIfIdle, idle);
  }
}

/**
 * A canvas in the page whose pixels are painted elsewhere. Close it when it is
 * no longer shown. What is known of its pictures is said on the canvas:
 *
 *     data-painted     where they are painted: see [Place]
 *     data-by          what the last was painted by: see [By]
 *     data-ink         of points, what their ink was added by: see [InkBy]
 *     data-drawn       how many columns of pixels of the last were drawn: the others had only moved
 *     data-paintings   how many there were
 */
export class Surface {
  /** How many pictures have been painted. */
  paintings = 0;
  readonly canvas: HTMLCanvasElement;
  private readonly id = next++;
  private open = true;
  private worker?: Worker;
  private painter?: Painter;
  private busy = true;
  private waiting?: Picture | PointPicture;
  /** Who waits for a copy, by the number of the request; and the requests that wait for a picture to be painted first. */
  private readonly requests = new Map<number, { resolve: (copy: ImageBitmap) => void; reject: (why: Error) => void }>();
  private held: number[] = [];

  /**
   * Appends a canvas to `parent`. `onLost` is called when the worker died: the
   * surface is closed then, and a new one, with a new canvas, is needed.
   * `onPainted` is told how each picture was painted. `by` and `inkBy` are
   * for tests: what to paint and to add ink by, whatever this machine has.
   */
  constructor(
    parent: HTMLElement,
    private readonly onLost: () => void,
    private readonly onPainted: (painting: Painting) => void = () => {},
    private readonly by?: By,
    private readonly inkBy?: InkBy
  ) {
    this.canvas = parent.ownerDocument.createElement('canvas');
    parent.append(this.canvas);
    surfaces.set(this.id, this);
    hand ??= start();
    hand.then((started) => this.begin(started));
  }

  /**
   * Shows a picture, soon. While one is being painted only the newest of those
   * that come meanwhile is kept, with the points that all of them add. The
   * buffers of its cells, of what is muted, and of its points are given away:
   * do not use them again.
   */
  show(picture: Picture | PointPicture) {
    if (this.busy) {
      this.waiting = this.waiting ? both(this.waiting, picture) : picture;
      return;
    }
    if (this.painter) {
      const painting = this.painter.paint(picture);
      if (painting instanceof Promise) {
        this.busy = true;
        painting.then((done) => {
          this.count(done);
          this.proceed();
        });
      } else {
        this.count(painting);
      }
      this.copy();
      return;
    }
    this.busy = true;
    this.order({ kind: 'paint', surface: this.id, picture }, givenAway(picture));
    this.copy();
  }

  /** A copy of the picture that was shown last, in device pixels. It fails when the surface is closed, or has no size. */
  pixels(): Promise<ImageBitmap> {
    if (!this.open) {
      return Promise.reject(closed());
    }
    return new Promise((resolve, reject) => {
      const request = next++;
      this.requests.set(request, { resolve, reject });
      this.held.push(request);
      if (!this.busy || (this.worker && !this.waiting)) {
        this.copy();
      }
    });
  }

  close() {
    if (!this.open) {
      return;
    }
    this.open = false;
    for (const request of [...this.requests.keys()]) {
      this.hand(request, closed());
    }
    this.order({ kind: 'close', surface: this.id });
    this.painter?.close();
    this.canvas.remove();
    surfaces.delete(this.id);
    endIfIdle();
  }

  private begin(started?: Hand) {
    if (!this.open) {
      return;
    }
    this.canvas.dataset.painted = started?.place ?? 'page';
    if (started) {
      this.worker = started.worker;
      const canvas = this.canvas.transferControlToOffscreen();
      this.order({ kind: 'open', surface: this.id, canvas, by: this.by, inkBy: this.inkBy }, [canvas]);
    } else {
      this.painter = new Painter(this.canvas, (painting) => this.note(painting), this.by, this.inkBy);
    }
    this.proceed();
  }

  /** Called with what the worker says of this surface. */
  hear(answer: Exclude<Answer, { kind: 'ready' | 'summed up' }>) {
    switch (answer.kind) {
      case 'painted':
        this.count(answer.painting);
        this.proceed();
        break;
      case 'repainted':
        this.note(answer.painting);
        break;
      case 'copied':
        this.hand(answer.request, answer.bitmap ?? new Error(answer.problem));
    }
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
    } else {
      this.copy();
    }
  }

  /** Orders the copies that are held: of the picture that was ordered last. */
  private copy() {
    for (const request of this.held.splice(0)) {
      if (this.painter) {
        this.painter.copy().then(
          (bitmap) => this.hand(request, bitmap),
          (error) => this.hand(request, error)
        );
      } else {
        this.order({ kind: 'copy', surface: this.id, request });
      }
    }
  }

  /** Hands a copy, or why there is none, to who asked for it. */
  private hand(request: number, copy: ImageBitmap | Error) {
    const asked = this.requests.get(request);
    this.requests.delete(request);
    if (copy instanceof Error) {
      asked?.reject(copy);
    } else {
      asked?.resolve(copy);
    }
  }

  private count(painting: Painting) {
    this.paintings++;
    this.canvas.dataset.paintings = String(this.paintings);
    this.onPainted(painting);
    this.note(painting);
  }

  private note({ by, drawn, points }: Painting) {
    this.canvas.dataset.by = by;
    if (points) {
      this.canvas.dataset.ink = points.by;
    }
    this.canvas.dataset.drawn = String(drawn);
  }

  private order(order: Order, transfer: Transferable[] = []) {
    this.worker?.postMessage(order, transfer);
  }
}

/** What comes of two pictures of which the first was never painted. */
function both(before: Picture | PointPicture, later: Picture | PointPicture): Picture | PointPicture {
  if ('spray' in later) {
    return 'spray' in before ? { ...later, spray: together(before.spray, later.spray) } : later;
  }
  // What is muted belongs to the grid.
  const { grid, muted } = later.grid || 'spray' in before ? later : before;
  return { ...later, grid, muted };
}

function givenAway(picture: Picture | PointPicture): ArrayBuffer[] {
  if ('spray' in picture) {
    return buffersOf(picture.spray);
  }
  const { grid, muted } = picture;
  return grid ? [...(isWire(grid) ? [] : [grid.values.buffer]), ...(muted ? [muted.buffer] : [])] : [];
}

const closed = () => new Error('copy the picture: its surface is closed');
