import { arch, cpus, hostname, platform, release, totalmem } from "node:os";
import { backOffMs, createHttp, EnrolAgentDocument, PoppoError, unwrap } from "@poppo-ops/client";
import { type Clock, sleep } from "../clock.js";
import type { AgentConfig } from "../config/config.js";
import { type Identity, prepareIdentity } from "./identity.js";
import { post } from "./post.js";

/** The server refuses to enrol this agent; trying again with the same token will not help. */
export class EnrolmentRefused extends Error {
  override name = "EnrolmentRefused";
}

export interface EnrolOptions {
  config: AgentConfig;
  version: string;
  clock: Clock;
  random(): number;
  signal: AbortSignal;
  warn(message: string): void;
}

/**
 * Makes a key pair and has the server enrol it; waits for a server that is away.
 * @throws {EnrolmentRefused} when the token is missing, used up or not for this agent
 */
export async function enrol({ config, version, clock, random, signal, warn }: EnrolOptions): Promise<Identity> {
  const token = config.enrolmentToken;
  if (!token)
    throw new EnrolmentRefused(
      `this agent has no identity in ${config.dataDir} yet; set \`enrolmentToken\` or POPPO_ENROLMENT_TOKEN to a token from createEnrolmentToken`,
    );
  const candidate = prepareIdentity(config.dataDir);
  const input = { token, name: config.name, publicKey: candidate.publicKey, facts: factsOf(), version };
  const http = createHttp({ url: config.server, fetch: post });
  for (let failures = 0; ; failures++)
    try {
      const { enrolAgent } = await http.request(EnrolAgentDocument, { input }, { signal });
      const { agent, serverKey } = unwrap(enrolAgent);
      if (!agent) throw new PoppoError("BAD_RESPONSE", "the server named no agent");
      return candidate.accept({ agentId: agent.id, serverKey });
    } catch (error) {
      if (signal.aborted) throw error;
      if (!(error instanceof PoppoError) || !error.retryable)
        throw new EnrolmentRefused(
          `the server at ${config.server} does not enrol "${config.name}": ${(error as Error).message}`,
          { cause: error },
        );
      const waitMs = backOffMs(failures, random);
      warn(`cannot enrol yet, trying again in ${Math.round(waitMs)} ms: ${error.message}`);
      await sleep(clock, waitMs, signal);
    }
}

const factsOf = () => ({
  hostname: hostname(),
  platform: platform(),
  release: release(),
  arch: arch(),
  cpus: cpus().length,
  memoryBytes: totalmem(),
  node: process.versions.node,
});
