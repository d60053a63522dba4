// Copies the wire types, which the protocol crate generates, into this package.
import { copyFileSync } from "node:fs";

copyFileSync(
  new URL("../../../protocol/generated/protocol.ts", import.meta.url),
  new URL("../src/protocol.ts", import.meta.url),
);
