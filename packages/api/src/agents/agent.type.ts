import { Field, InputType, ObjectType } from "type-graphql";
import { connectionOf } from "../graphql/connection.js";
import { publishEnum } from "../graphql/enums.js";
import { Node } from "../graphql/node.js";
import { payloadOf } from "../graphql/payload.js";
import { BigIntText, DateTime, Json } from "../graphql/scalars.js";
import { typeFrom } from "../graphql/type-from.js";
import type { AgentConditions, AgentStatus } from "./agent.query.js";
import { AGENT_STATUSES, agents } from "./agent.table.js";

export const AgentStatusEnum = publishEnum(
  "AgentStatus",
  AGENT_STATUSES,
  "ONLINE has a session; OFFLINE has none, within its grace; DOWN was silent for too long; REVOKED for good.",
);

export const Agent = typeFrom(
  "Agent",
  agents,
  {
    id: "Its id.",
    name: "Unique among the agents that are not revoked.",
    status: "Whether it is there.",
    labels: { description: "Text by name; probes choose their agents by them.", type: Json },
    facts: { description: "What it said of its host when it enrolled.", type: Json },
    version: "The agent's version when it enrolled.",
    enrolledAt: "When it was enrolled.",
    connectedAt: "When its newest session began.",
    revokedAt: "When it was revoked.",
  },
  { description: "The process on one host that runs probes and remediations.", implements: Node },
);
export const AgentConnection = connectionOf("Agent", Agent);
export const AgentPayload = payloadOf("AgentPayload", { agent: { type: () => Agent } });
export const CreateEnrolmentTokenPayload = payloadOf("CreateEnrolmentTokenPayload", {
  token: { type: () => String, description: "Shown once; single use." },
  expiresAt: { type: () => DateTime, description: "When it ends by itself." },
});
export const EnrolAgentPayload = payloadOf("EnrolAgentPayload", {
  agent: { type: () => Agent },
  serverKey: { type: () => Json, description: "Verifies the commands of this server: Ed25519 public key, JWK." },
});

@ObjectType({ description: "Results an agent had to drop before it could send them." })
export class SpoolGap {
  @Field(() => String) epoch!: string;
  @Field(() => BigIntText) from!: number;
  @Field(() => BigIntText) to!: number;
  @Field(() => String, { description: "BYTES, AGE, CORRUPT or DISK_FULL." }) reason!: string;
  @Field(() => DateTime) recordedAt!: Date;
}

@InputType({ description: "Every condition given must hold." })
export class AgentFilter implements AgentConditions {
  @Field(() => [AgentStatusEnum], { nullable: true, description: "In one of these states." }) statuses?:
    | AgentStatus[]
    | null;
  @Field(() => String, { nullable: true, description: "Part of the name, in any case." }) search?: string | null;
  @Field(() => Json, { nullable: true, description: "Labels it must carry." }) labels?: Record<string, string> | null;
}
