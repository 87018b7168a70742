import { z } from "zod";
import { AppError } from "../kernel/app-error.js";
import { storable } from "../kernel/storable.js";

export const PAYLOAD_BYTES = 10 * 1024 * 1024;
const PAYLOAD_ALERTS = 10_000;
/** How often one alert may change its status within a payload; Alertmanager names each alert once. */
const STATUS_CHANGES = 10;

/** A moment as ISO text in milliseconds, whatever the sender's precision and zone; such texts are ordered as the moments are. */
const moment = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d/, "It is not a moment of RFC 3339.")
  .transform((text, context) => {
    const ms = Date.parse(text);
    if (!Number.isNaN(ms)) return new Date(ms).toISOString();
    context.addIssue({ code: "custom", message: `"${text.slice(0, 40)}" is not a moment of RFC 3339.` });
    return z.NEVER;
  });
const texts = z.record(z.string(), z.string());
/** Go's zero time stands for "not yet". */
const NEVER = "0001-01-01T00:00:00.000Z";

const alert = z.object({
  status: z.enum(["firing", "resolved"]),
  fingerprint: z.string().min(1).max(200),
  labels: texts,
  annotations: texts.nullish().transform((annotations) => annotations ?? {}),
  startsAt: moment,
  endsAt: moment.nullish().transform((endsAt) => (endsAt === NEVER ? null : (endsAt ?? null))),
  generatorURL: z.string().nullish(),
});

/** https://prometheus.io/docs/alerting/latest/configuration/#webhook_config */
const payload = z.object({
  version: z.literal("4"),
  externalURL: z.string().nullish(),
  truncatedAlerts: z.number().nullish(),
  alerts: z.array(z.unknown()),
});

export type Alert = z.output<typeof alert>;

export interface Malformed {
  index: number;
  reason: string;
}

export interface AlertPayload {
  alerts: Alert[];
  /** Alerts that could not be read; the others of the payload are taken. */
  malformed: Malformed[];
  /** How many the sender itself has left out. */
  truncated: number;
  externalURL: string | null;
}

/**
 * Reads a webhook of version 4.
 * @throws {AppError} BAD_PAYLOAD with place and reason when nothing of it can be taken, PAYLOAD_TOO_LARGE
 */
export function readPayload(body: Buffer): AlertPayload {
  const { data, error } = payload.safeParse(parseJson(body.toString("utf8")));
  if (!data) throw new AppError("BAD_PAYLOAD", reasonOf(error));
  if (data.alerts.length > PAYLOAD_ALERTS)
    throw new AppError(
      "PAYLOAD_TOO_LARGE",
      `alerts: there are ${data.alerts.length}; at most ${PAYLOAD_ALERTS} are taken.`,
    );
  const alerts: Alert[] = [];
  const malformed: Malformed[] = [];
  for (const [index, given] of data.alerts.entries()) {
    const parsed = alert.safeParse(given);
    if (parsed.success) alerts.push(parsed.data);
    else malformed.push({ index, reason: reasonOf(parsed.error) });
  }
  if (malformed.length > 0 && alerts.length === 0) throw nothingTaken(malformed);
  refuseRestless(alerts);
  return { alerts, malformed, truncated: data.truncatedAlerts ?? 0, externalURL: data.externalURL ?? null };
}

/**
 * The escapes of what cannot be stored: NUL and half a surrogate pair. It is replaced, not refused: an alert with an odd
 * character in a label must still reach somebody.
 */
const UNSTORABLE = /\\u(?:0000|d[89a-f])/i;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, UNSTORABLE.test(text) ? storable : undefined);
  } catch (error) {
    throw new AppError("BAD_PAYLOAD", `The body is not JSON: ${(error as Error).message}`);
  }
}

/** Each change is a round of statements; a payload of nothing but changes would keep everybody waiting. */
function refuseRestless(alerts: Alert[]): void {
  const seen = new Map<string, { status: Alert["status"]; changes: number }>();
  for (const { fingerprint, status } of alerts) {
    const before = seen.get(fingerprint);
    const changes = (before?.changes ?? 0) + (before && before.status !== status ? 1 : 0);
    if (changes > STATUS_CHANGES)
      throw new AppError(
        "BAD_PAYLOAD",
        `alerts: ${fingerprint} changes its status more than ${STATUS_CHANGES} times; send it in several payloads.`,
      );
    seen.set(fingerprint, { status, changes });
  }
}

const nothingTaken = (malformed: Malformed[]): AppError => {
  const reasons = malformed.slice(0, 3).map(({ index, reason }) => `alerts[${index}]: ${reason}`);
  return new AppError("BAD_PAYLOAD", reasons.join(" "), { malformed: malformed.slice(0, 100) });
};

const reasonOf = (error: z.ZodError): string =>
  error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : message)).join(" ");
