import { ChaparError } from "./error.js";

/** A server's addresses, read from one URL: `http`, `https`, `ws` or `wss`, with a path if a proxy serves it there. */
export interface Endpoint {
  /** The address of the WebSocket. */
  readonly websocket: string;
  /** The address of the HTTP API, without a slash at the end. */
  readonly http: string;
}

/** Reads a server's URL; a trailing `/ws` is dropped. */
export function endpoint(url: string): Endpoint {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new ChaparError("bad_url", `not a server address: ${url}`);
  }
  const secure = { "http:": false, "ws:": false, "https:": true, "wss:": true }[parsed.protocol];
  if (secure === undefined || !parsed.host) throw new ChaparError("bad_url", `not a server address: ${url}`);
  const base = parsed.host + parsed.pathname.replace(/\/+$/, "").replace(/\/ws$/, "");
  return { websocket: `${secure ? "wss" : "ws"}://${base}/ws`, http: `${secure ? "https" : "http"}://${base}` };
}
