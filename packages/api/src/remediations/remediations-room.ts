import type { Watch } from "../agents/watch.js";
import type { Module } from "../engine/engine.js";
import { type App, systemScope } from "../kernel/app.js";
import { type Act, act } from "../kernel/command.js";
import { attachPreviews } from "./attach-previews.js";
import { proposeRuns, startAutomaticRuns } from "./automatic.js";
import { followRuns } from "./follow-runs.js";
import { noteLateReports } from "./late-reports.js";
import { resumeExpired } from "./processing.service.js";
import { watchFixes } from "./watch-fixes.js";

/** What the engine looks after for remediations. */
export const remediationModules = (app: App, watch: Watch): Module[] => [
  followRuns(app, watch),
  sweep(app, "attach previews", attachPreviews, ["commands"]),
  startAutomaticRuns(app),
  proposeRuns(app),
  sweep(app, "watch whether fixes hold", watchFixes, ["states"]),
  sweep(app, "note late reports of given-up runs", noteLateReports, ["commands"]),
  sweep(app, "resume processing when its pause is over", resumeExpired, []),
];

const sweep = (app: App, name: string, step: (act: Act) => Promise<number>, topics: string[]): Module => ({
  name,
  batch: Number.POSITIVE_INFINITY,
  everyMs: 1000,
  wakeOn: (topic) => topics.includes(topic),
  step: () => act(systemScope(app, "remediation"), step),
});
