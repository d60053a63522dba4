// What is asked over HTTP: accounts.

import { isObject, wireError } from "./core/read.js";
import { ChaparError, serverError } from "./error.js";

/** How long an HTTP request may take, in milliseconds. */
const TIMEOUT = 30_000;

/** Posts JSON to a path of the HTTP API and returns the JSON that it answers. */
export async function post(base: string, path: string, body: unknown, token?: string, keepalive = false): Promise<unknown> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  let response: Response;
  let answer: unknown;
  // `AbortSignal.timeout` is younger than the browsers that people have.
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), TIMEOUT);
  try {
    response = await fetch(base + path, { method: "POST", headers, body: JSON.stringify(body), signal: late.signal, credentials: "omit", keepalive });
    const text = await response.text();
    answer = text === "" ? null : parse(text);
  } catch (error) {
    throw new ChaparError("unreachable", error instanceof Error ? error.message : "the server cannot be reached", "retry");
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) {
    if (answer === undefined) throw new ChaparError("bad_reply", "an answer that is no JSON");
    return answer;
  }
  const error = isObject(answer) && isObject(answer.error) ? answer.error : answer;
  if (isObject(error) && typeof error.code === "string") throw serverError(wireError(error));
  throw new ChaparError("unreachable", `HTTP ${response.status}`, "retry");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
