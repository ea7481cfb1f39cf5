import { debuglog } from "node:util";

/** Where a client reports resends and renewed certificates; `console` is one, and so are the usual logging packages. */
export interface Logger {
  /** A call is sent again. The text holds no request. */
  info(text: string): void;
  /** Renewed certificates cannot be used. */
  warn(text: string): void;
}

const debug = debuglog("payorch");

/** What a client uses unless it is given one: NODE_DEBUG=payorch shows resends, warnings are those of the process. */
export const PROCESS_LOGGER: Logger = {
  info: (text) => debug("%s", text),
  warn: (text) => process.emitWarning(text, "PayorchWarning"),
};
