import express, { type Express, type NextFunction, type Request, type Response } from "express";
import type { App } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { PAYLOAD_BYTES, readPayload } from "./alertmanager.payload.js";
import type { AlertReceiver } from "./alertmanager.receiver.js";
import { integrationKeys } from "./integration-key.js";

/** Bodies being read, and alerts of them that wait for the database. */
const BYTES_UNDER_WAY = 64 * 1024 * 1024;
const FULL_WAIT_MS = 1000;

/**
 * `POST /integrations/alertmanager/<key>`: a Prometheus Alertmanager with this address in its `webhook_configs`. Answered
 * after the commit. Alertmanager sends again what is answered with 5xx and gives up for now on everything else, 429
 * included, so whatever may pass is a 503.
 */
export function alertmanagerRoute(web: Express, app: App, receiver: AlertReceiver): void {
  const integrationOf = integrationKeys(app, "ALERTMANAGER");
  web.post(
    "/integrations/alertmanager/:key",
    async (request: Request<{ key: string }>, response: Response, next: NextFunction) => {
      response.locals.integrationId = await integrationOf(request.params.key);
      next();
    },
    boundBytes(),
    express.raw({ limit: PAYLOAD_BYTES, type: () => true }),
    refuseBody,
    async (request: Request, response: Response) => {
      const { integrationId } = response.locals as { integrationId: string };
      // A request without a body has none, not an empty one.
      const payload = readPayload((request.body as Buffer | undefined) ?? Buffer.alloc(0));
      // A socket that its peer has closed is not writable from then on; the response is told only when it is gone.
      const isAwaited = () => request.socket.writable;
      response.locals.receipt = receiver.receive({ integrationId, payload, isAwaited });
      response.json({ ...(await response.locals.receipt), malformed: payload.malformed });
    },
  );
}

/** Senders that are faster than the database must not fill the memory. */
function boundBytes() {
  let underWay = 0;
  return (request: Request, response: Response, next: NextFunction) => {
    const length = Number(request.headers["content-length"]);
    // One that does not say, or that is packed, may become as large as any.
    const bytes = length <= PAYLOAD_BYTES && !request.headers["content-encoding"] ? length : PAYLOAD_BYTES;
    if (underWay + bytes > BYTES_UNDER_WAY)
      throw new AppError("UNAVAILABLE", "Too many alerts wait for the database; send them again later.", {
        retryAfterMs: FULL_WAIT_MS,
      });
    underWay += bytes;
    response.once("close", async () => {
      // A sender that gives up leaves behind what waits for the database.
      await Promise.allSettled([response.locals.receipt]);
      underWay -= bytes;
    });
    next();
  };
}

/** What the body parser refuses, in our words. */
function refuseBody(error: unknown, _request: Request, _response: Response, next: NextFunction): void {
  const { status, expose, message } = error as { status?: number; expose?: boolean; message?: string };
  if (status === 413) next(new AppError("PAYLOAD_TOO_LARGE", `The body is larger than ${PAYLOAD_BYTES} bytes.`));
  else next(expose && status ? new AppError("BAD_PAYLOAD", `The body cannot be read: ${message}.`) : error);
}
