import express, { type Express, type Request, type RequestHandler } from "express";
import { principalOf } from "../http/server.js";
import type { App, Scope } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { type Processing, pauseProcessing, resumeProcessing } from "../remediations/processing.service.js";

/**
 * The playbook's `POST /api/admin/pause-processing` and `/resume-processing`, as they stand there: a bare POST pauses.
 * A Bearer token that may pause is needed; the JSON body may give `reason` and `ttl` (`"1h"`, or seconds).
 */
export function adminRoutes(web: Express, app: App, identified: RequestHandler): void {
  const body = express.json({ limit: "16kb" });
  const scopeOf = (request: Request): Scope => ({ app, principal: principalOf(request) });

  web.post("/api/admin/pause-processing", identified, body, async (request, response) => {
    const scope = scopeOf(request);
    const { processing } = await pauseProcessing(scope, pauseInput(request.body, scope.principal.name));
    response.json({ ...shown(processing), note: "No remediation begins from now on; what runs already goes on." });
  });
  web.post("/api/admin/resume-processing", identified, body, async (request, response) => {
    const { processing } = await resumeProcessing(scopeOf(request), {});
    response.json(shown(processing));
  });
}

const shown = ({ paused, reason, owner, since, until }: Processing) => ({ paused, reason, owner, since, until });

function pauseInput(body: unknown, who: string): { reason: string; for?: string } {
  const { reason, ttl } = (body ?? {}) as { reason?: unknown; ttl?: unknown };
  return {
    reason: text(reason, "reason") ?? `paused by ${who} without a reason`,
    for: typeof ttl === "number" ? `${Math.round(ttl)}s` : text(ttl, "ttl"),
  };
}

function text(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw new AppError("BAD_INPUT", `${field} is ${JSON.stringify(value)}; it takes text.`, { field });
}
