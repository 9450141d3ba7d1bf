// Grafana Live over the workbench's one stream of Server-Sent Events.
import {
  DataQueryResponse,
  LiveChannelAddress,
  LiveChannelPresenceStatus,
  LoadingState,
  StreamingDataFrame,
  StreamingFrameOptions,
  toLiveChannelId,
} from '@grafana/data';
import { GrafanaLiveSrv, LiveDataStreamOptions } from '@grafana/runtime';
import { BehaviorSubject, NEVER, Observable } from 'rxjs';

/** As in Grafana it has one frame for all that follow it, which is kept while a query is asked anew. */
interface Channel {
  data: unknown;
  frame: StreamingDataFrame;
  /** Called when the frame has gone on, or with why it may lack something. */
  listeners: Set<(gap?: string) => void>;
  leaving?: ReturnType<typeof setTimeout>;
}

/** How long a channel stays open that nobody wants, in ms: as long as asking a query anew may take. */
const lingering = 5000;

let lastKey = 0;

class Live implements GrafanaLiveSrv {
  private readonly connected = new BehaviorSubject(false);
  private readonly channels = new Map<string, Channel>();
  private events?: EventSource;
  private session?: string;
  private telling = false;

  getConnectionState(): Observable<boolean> {
    return this.connected;
  }

  getStream<T>(): Observable<T> {
    // Nothing but data frames is streamed here.
    return NEVER;
  }

  getPresence(): Promise<LiveChannelPresenceStatus> {
    return Promise.reject(new Error('the workbench does not know who is present'));
  }

  publish(): Promise<unknown> {
    return Promise.reject(new Error('the workbench publishes nothing'));
  }

  getDataStream({ addr, frame: initial, buffer }: LiveDataStreamOptions): Observable<DataQueryResponse> {
    return new Observable((subscriber) => {
      lastKey += 1;
      const key = `live-${lastKey}`;
      const channel = this.join(addr, buffer);
      const { frame, listeners } = channel;
      if (initial && !frame.hasAtLeastOnePacket()) {
        frame.push(initial);
      }
      const emit = (gap?: string) =>
        subscriber.next({
          key,
          state: gap ? LoadingState.Error : LoadingState.Streaming,
          data: [frame],
          ...(gap && { error: { message: `Live: ${gap}` } }),
        });
      if (frame.hasAtLeastOnePacket()) {
        emit();
      }
      listeners.add(emit);
      return () => {
        listeners.delete(emit);
        if (listeners.size === 0) {
          this.leave(addr);
        }
      };
    });
  }

  private join(addr: LiveChannelAddress, buffer?: Partial<StreamingFrameOptions>): Channel {
    const id = toLiveChannelId(addr);
    const channel = this.channels.get(id) ?? {
      data: addr.data,
      frame: StreamingDataFrame.empty(buffer),
      listeners: new Set(),
    };
    clearTimeout(channel.leaving);
    channel.frame.resize(buffer ?? {});
    if (!this.channels.has(id)) {
      this.channels.set(id, channel);
      this.tell();
    }
    return channel;
  }

  private leave(addr: LiveChannelAddress) {
    const id = toLiveChannelId(addr);
    this.channels.get(id)!.leaving = setTimeout(() => {
      this.channels.delete(id);
      this.tell();
    }, lingering);
  }

  /** Tells the server the channels that are wanted, once for all that change together. */
  private tell() {
    this.connect();
    if (this.telling) {
      return;
    }
    this.telling = true;
    setTimeout(async () => {
      this.telling = false;
      if (!this.session) {
        return; // The session's first event tells.
      }
      const channels = [...this.channels].map(([id, { data }]) => ({ id, data }));
      const response = await fetch(`api/live/${this.session}`, {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ channels }),
      }).catch(() => undefined); // The stream's own error says that the server is gone.
      if (response && !response.ok && response.status !== 404) {
        const { message } = await response.json();
        this.channels.forEach(({ listeners }) => listeners.forEach((listener) => listener(message)));
      }
    }, 0);
  }

  private connect() {
    if (this.events) {
      return;
    }
    const events = new EventSource('api/live');
    this.events = events;
    events.addEventListener('session', ({ data }) => {
      this.session = JSON.parse(data).id;
      this.connected.next(true);
      this.tell();
    });
    events.addEventListener('frame', ({ data }) => {
      const { channel, frame } = JSON.parse(data);
      const joined = this.channels.get(channel);
      joined?.frame.push(frame);
      joined?.listeners.forEach((listener) => listener());
    });
    events.addEventListener('gap', ({ data }) => {
      const { channel, error } = JSON.parse(data);
      this.channels.get(channel)?.listeners.forEach((listener) => listener(error));
    });
    // The browser connects again by itself, and gets a new session.
    events.addEventListener('error', () => {
      this.session = undefined;
      this.connected.next(false);
    });
  }
}

export const live = new Live();
