import { z } from "zod";
import { defineManifest } from "../contract.js";
import { falling, ladder, rising } from "../ladder.js";

const statusClass = z.string().regex(/^[1-5]xx$/, 'a class of status codes is written "2xx"');
const status = z.union([z.number().int().min(100).max(599), statusClass]);
const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const bounds = z
  .strictObject({
    min: z.number().optional().describe("The lowest value that is well."),
    max: z.number().optional().describe("The highest value that is well."),
  })
  .refine((range) => range.min !== undefined || range.max !== undefined, "a range needs min, max or both");
const path = z.string().regex(/^[^.]+(\.[^.]+)*$/, 'a path is written "queue.depth" or "items.0.id"');
const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "this is not a header name");
const headerValue = z
  .string()
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, "a header value cannot hold line breaks or other control characters");

const check = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/, error: "url must be an absolute http:// or https:// address" })
      .refine(
        (url) => !/^https?:\/\/[^/?#]*@/i.test(url),
        "url carries a user or password; send them in headers.authorization as env:NAME",
      )
      .describe("What to ask. The query may hold secrets: it never shows in a result."),
    method: z.enum(["GET", "HEAD", "POST"]).default("GET").describe("How to ask."),
    headers: z
      .record(headerName, headerValue)
      .default({})
      .describe("Headers to send. A value `env:NAME` is that environment variable of the agent."),
    body: z.string().optional().describe("Body to send; only with POST."),
    expectStatus: z
      .union([status, z.array(status).min(1)])
      .default("2xx")
      .describe('A status code, a class such as "2xx", or a list of both. Any other answer is CRIT.'),
    expectBody: z.string().min(1).optional().describe("Text the body must contain, else CRIT."),
    expectJson: z
      .record(path, z.union([scalar, bounds]))
      .optional()
      .describe(
        "Dotted path into the JSON body → the value it must have, or {min, max} around a number, else CRIT. Absent: UNKNOWN.",
      ),
    identity: z
      .strictObject({
        header: z.record(headerName, z.string()).default({}).describe("Response headers and their exact values."),
        json: z.array(path).default([]).describe("Dotted paths that must exist in the JSON body."),
      })
      .optional()
      .describe("How to know that it is our program that answers. Another program is UNKNOWN, not CRIT."),
    latencyMs: z
      .strictObject(ladder(1000, 5000, "the whole exchange, in ms,"))
      .superRefine(rising)
      .optional()
      .describe("Limits for the time until the last byte. Absent: measured, not judged."),
    tls: z
      .strictObject({
        minDaysLeft: z
          .strictObject({
            warn: z.number().min(0).default(14).describe("WARN when the certificate has no more days left than this."),
            crit: z.number().min(0).default(3).describe("CRIT when the certificate has no more days left than this."),
          })
          .superRefine(falling)
          .prefault({})
          .describe("Limits for the days until the certificate expires."),
        ca: z
          .string()
          .startsWith("/")
          .optional()
          .describe("PEM file on the agent's host with the authorities to trust instead of the public ones."),
        insecure: z
          .boolean()
          .default(false)
          .describe("Accept any certificate: not verified, and its expiry measured but not judged."),
      })
      .prefault({})
      .describe("How to judge the certificate of an https address."),
    maxBodyBytes: z
      .number()
      .int()
      .min(1)
      .max(16 * 1024 ** 2)
      .default(1024 ** 2)
      .describe("Reading stops here, in bytes. What depends on the rest of a longer body is UNKNOWN."),
  })
  .superRefine((config, context) => {
    const refuse = (option: string, message: string) => context.addIssue({ code: "custom", path: [option], message });
    if (config.body !== undefined && config.method !== "POST")
      refuse("body", `body is sent with POST only, and method is ${config.method}; set method: POST or remove body`);
    if (config.method !== "HEAD") return;
    const needsBody = (["expectBody", "expectJson"] as const).filter((option) => config[option] !== undefined);
    for (const option of needsBody) refuse(option, `${option} needs a body, and HEAD has none; use GET`);
    if (config.identity?.json.length) refuse("identity", "identity.json needs a body, and HEAD has none; use GET");
  });

export type CheckConfig = z.output<typeof check>;
export type Bounds = z.output<typeof bounds>;
export type Scalar = z.output<typeof scalar>;

export const manifest = defineManifest({
  name: "http",
  version: "1.0.0",
  description: "Asks an HTTP or HTTPS address and judges who answers, what, how fast, and with which certificate.",
  probes: {
    check: {
      title: "HTTP check",
      description: "One request on a new connection, redirects not followed.",
      config: check,
      intervalMs: 30_000,
      timeoutMs: 10_000,
    },
  },
  remediations: {},
});
