// Grafana Live over the workbench's one stream of Server-Sent Events.
import {
  DataFrameJSON,
  DataQueryResponse,
  LiveChannelAddress,
  LiveChannelPresenceStatus,
  LoadingState,
  StreamingDataFrame,
  toLiveChannelId,
} from '@grafana/data';
import { GrafanaLiveSrv, LiveDataStreamOptions } from '@grafana/runtime';
import { BehaviorSubject, NEVER, Observable } from 'rxjs';

interface Channel {
  data: unknown;
  listeners: Set<Listener>;
}

interface Listener {
  frame(frame: DataFrameJSON): void;
  /** Frames may be missing since the last one. */
  gap(error: string): void;
}

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
      const frame = initial ? StreamingDataFrame.fromDataFrameJSON(initial, buffer) : StreamingDataFrame.empty(buffer);
      const emit = (error?: string) =>
        subscriber.next({
          key,
          state: error ? LoadingState.Error : LoadingState.Streaming,
          data: [frame],
          ...(error && { error: { message: `Live: ${error}` } }),
        });
      if (initial) {
        emit();
      }
      return this.join(addr, {
        frame: (packet) => {
          frame.push(packet);
          emit();
        },
        gap: emit,
      });
    });
  }

  private join(addr: LiveChannelAddress, listener: Listener): () => void {
    const id = toLiveChannelId(addr);
    const channel = this.channels.get(id) ?? { data: addr.data, listeners: new Set() };
    channel.listeners.add(listener);
    this.channels.set(id, channel);
    this.tell();
    return () => {
      channel.listeners.delete(listener);
      if (channel.listeners.size === 0 && this.channels.get(id) === channel) {
        this.channels.delete(id);
        this.tell();
      }
    };
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
        this.channels.forEach(({ listeners }) => listeners.forEach((listener) => listener.gap(message)));
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
      this.channels.get(channel)?.listeners.forEach((listener) => listener.frame(frame));
    });
    events.addEventListener('gap', ({ data }) => {
      const { channel, error } = JSON.parse(data);
      this.channels.get(channel)?.listeners.forEach((listener) => listener.gap(error));
    });
    // The browser connects again by itself, and gets a new session.
    events.addEventListener('error', () => {
      this.session = undefined;
      this.connected.next(false);
    });
  }
}

export const live = new Live();
