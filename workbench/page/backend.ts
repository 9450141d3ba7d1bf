// Grafana's HTTP service over the workbench's API.
import { BackendSrv, BackendSrvRequest, FetchError, FetchResponse } from '@grafana/runtime';
import { from, lastValueFrom, Observable } from 'rxjs';

/** Where the workbench has what Grafana has for one data source. */
function workbenchUrl(url: string): string {
  const path = url.replace(/^\/+/, '');
  const resource = /^api\/datasources\/uid\/[^/]+\/(resources\/.*|health)$/.exec(path)?.[1];
  if (resource) {
    return `api/${resource}`;
  }
  return path.replace(/^api\/ds\/query(?=\?|$)/, 'api/query');
}

async function send<T>(options: BackendSrvRequest, abort: AbortSignal): Promise<FetchResponse<T>> {
  const { method = 'GET', data, headers, params } = options;
  const url = new URL(workbenchUrl(options.url), document.baseURI);
  for (const [name, value] of Object.entries(params ?? {})) {
    for (const v of Array.isArray(value) ? value : [value]) {
      if (v !== undefined && v !== null) {
        url.searchParams.append(name, String(v));
      }
    }
  }
  const response = await fetch(url, {
    method,
    headers: { ...headers, ...(data === undefined ? {} : { 'Content-Type': 'application/json' }) },
    body: data === undefined ? undefined : JSON.stringify(data),
    signal: abort,
  });
  const text = await response.text();
  let body: unknown = text;
  try {
    body = text ? JSON.parse(text) : undefined;
  } catch {
    // Not JSON: handed on as text.
  }
  const { status, statusText, ok, redirected, type } = response;
  if (!ok) {
    const failure: FetchError = { status, statusText, data: body, config: options };
    throw failure;
  }
  return {
    data: body as T,
    status,
    statusText,
    ok,
    headers: response.headers,
    redirected,
    type,
    url: url.href,
    config: options,
  };
}

class Backend implements BackendSrv {
  /** What Grafana's /api/frontend/settings would say. */
  frontendSettings: unknown;

  fetch<T>(options: BackendSrvRequest): Observable<FetchResponse<T>> {
    return new Observable((subscriber) => {
      const abort = new AbortController();
      const subscription = from(
        send<T>(options, abort.signal).catch((error: unknown) => {
          // The server is gone, or was never there: an error of the form that readers expect.
          const failure: FetchError =
            error instanceof Error
              ? {
                  status: 0,
                  statusText: error.message,
                  data: { message: `the workbench does not answer: ${error.message}` },
                  config: options,
                  cancelled: abort.signal.aborted,
                }
              : (error as FetchError);
          throw failure;
        })
      ).subscribe(subscriber);
      return () => {
        subscription.unsubscribe();
        abort.abort();
      };
    });
  }

  chunked(): Observable<FetchResponse<Uint8Array | undefined>> {
    throw new Error('the workbench has no chunked requests');
  }

  datasourceRequest<T>(options: BackendSrvRequest) {
    return lastValueFrom(this.fetch<T>(options));
  }

  async request<T>(options: BackendSrvRequest): Promise<T> {
    return (await lastValueFrom(this.fetch<T>(options))).data;
  }

  get<T>(url: string, params?: BackendSrvRequest['params']): Promise<T> {
    if (url === '/api/frontend/settings') {
      return Promise.resolve(this.frontendSettings as T);
    }
    return this.request<T>({ url, params });
  }
  delete<T>(url: string, data?: unknown) {
    return this.request<T>({ url, data, method: 'DELETE' });
  }
  post<T>(url: string, data?: unknown) {
    return this.request<T>({ url, data, method: 'POST' });
  }
  patch<T>(url: string, data?: unknown) {
    return this.request<T>({ url, data, method: 'PATCH' });
  }
  put<T>(url: string, data?: unknown) {
    return this.request<T>({ url, data, method: 'PUT' });
  }
}

export const backend = new Backend();
