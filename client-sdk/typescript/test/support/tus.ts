// A small tus server that does to an upload what networks and servers do.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { randomUUID } from "node:crypto";

/** What becomes of the next requests: the answer of this status, or a cut after so many bytes of the body. */
export type Mischief = { status: number; body?: object; method?: string } | { cutAfter: number } | { loseAnswer: true };

export class TusServer {
  url = "";
  readonly uploads = new Map<string, { bytes: Buffer[]; length: number; meta: Record<string, string> }>();
  readonly asked: string[] = [];
  mischief: Mischief[] = [];
  /** Called at each request, for mischief that never ends. */
  each: (() => Mischief | undefined) | undefined;
  largest = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#handle(request, response).catch(() => response.destroy()));
  }

  static async start(): Promise<TusServer> {
    const it = new TusServer();
    await new Promise<void>((resolve) => it.#server.listen(0, "127.0.0.1", resolve));
    it.url = `http://127.0.0.1:${(it.#server.address() as AddressInfo).port}`;
    return it;
  }

  content(id: string): Buffer {
    return Buffer.concat(this.uploads.get(id)?.bytes ?? []);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", headers } = request;
    this.asked.push(method);
    const at = this.mischief.findIndex((it) => !("method" in it) || it.method === undefined || it.method === method);
    const act = this.each?.() ?? (at < 0 ? undefined : this.mischief.splice(at, 1)[0]);
    const end = (status: number, more: Record<string, string> = {}, body?: object): void => {
      response.writeHead(status, { "Tus-Resumable": "1.0.0", ...more });
      response.end(body ? JSON.stringify(body) : undefined);
    };
    if (headers["tus-resumable"] !== "1.0.0" || headers.authorization !== "Bearer secret") return end(401);
    if (act && "status" in act) {
      request.resume();
      return end(act.status, {}, act.body);
    }
    const id = method === "POST" ? randomUUID() : (request.url?.split("/").at(-1) ?? "");
    if (method === "POST") {
      const meta = Object.fromEntries(String(headers["upload-metadata"]).split(",").map((it) => it.split(" ")).map(([key, value = ""]) => [key, Buffer.from(value, "base64").toString()]));
      this.uploads.set(id, { bytes: [], length: Number(headers["upload-length"] ?? NaN), meta });
    }
    const upload = this.uploads.get(id);
    if (!upload) return end(404);
    const offset = (): number => upload.bytes.reduce((sum, it) => sum + it.length, 0);
    if (method === "PATCH" && Number.isNaN(upload.length) && headers["upload-length"]) upload.length = Number(headers["upload-length"]);
    const length = Number.isNaN(upload.length) ? { "Upload-Defer-Length": "1" } : { "Upload-Length": String(upload.length) };
    if (method === "HEAD") return end(200, { "Upload-Offset": String(offset()), ...length, "Cache-Control": "no-store" } as Record<string, string>);
    if (method === "DELETE") {
      this.uploads.delete(id);
      return end(204);
    }
    if (method === "PATCH" && Number(headers["upload-offset"]) !== offset()) return end(409);
    let got = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      const left = act && "cutAfter" in act ? act.cutAfter - got : Infinity;
      upload.bytes.push(chunk.subarray(0, Math.max(left, 0)));
      got += chunk.length;
      if (got >= (act && "cutAfter" in act ? act.cutAfter : Infinity)) return void request.socket.destroy();
    }
    this.largest = Math.max(this.largest, got);
    if (act && "loseAnswer" in act) return void request.socket.destroy();
    if (method === "POST") end(201, { Location: `/files/${id}`, "Upload-Offset": String(offset()) });
    else end(204, { "Upload-Offset": String(offset()) });
  }
}
