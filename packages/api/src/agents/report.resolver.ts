import type { BatchAck as Ack } from "@poppo-ops/plugins/wire";
import { Arg, Ctx, Field, ID, Int, Mutation, ObjectType, Resolver, Root, Subscription } from "type-graphql";
import type { Context } from "../graphql/context.js";
import { payload, UserError } from "../graphql/payload.js";
import { Requires } from "../graphql/policy.js";
import { BigIntText, Json, OutputBatch, ResultBatch } from "../graphql/scalars.js";
import { inputFrom } from "../graphql/type-from.js";
import { AppError } from "../kernel/app-error.js";
import type { SessionMessage } from "./agent-session.js";
import { agentsRoom } from "./agents-room.js";
import { isAgent } from "./authenticate-agent.js";
import { reportOutput } from "./command-output.js";
import { countBatch } from "./ingest.metrics.js";
import { reportCommand } from "./report-command.js";

@ObjectType({ description: "Everything up to `ackedSeq` is committed." })
export class BatchAck {
  @Field(() => BigIntText) ackedSeq!: number;
  @Field(() => Int, { description: "How many batches may be under way." }) window!: number;
  @Field(() => Int, { description: "Wait this long before the next one." }) retryAfterMs!: number;
}

@ObjectType({ description: "The output up to `seq` is stored." })
export class OutputAck {
  @Field(() => Int, { description: "The last chunk of the batch." }) seq!: number;
}

@ObjectType({ description: "Whether the report changed anything." })
export class ReportCommandPayload {
  @Field(() => String, { nullable: true, description: "As it was given." }) clientMutationId!: string | null;
  @Field(() => Boolean, {
    description: "False: the report changed nothing, because an end was recorded already or the token is stale.",
  })
  accepted!: boolean;
  @Field(() => [UserError]) userErrors!: UserError[];
}

@ObjectType({ description: "A probe that an agent is to run." })
export class ProbeAssignment {
  @Field(() => ID) probeId!: string;
  @Field(() => String) name!: string;
  @Field(() => String) kind!: string;
  @Field(() => Json) config!: unknown;
  @Field(() => Int) intervalMs!: number;
  @Field(() => Int) retryIntervalMs!: number;
  @Field(() => Int) maxAttempts!: number;
  @Field(() => Int) timeoutMs!: number;
  @Field(() => Int) version!: number;
}

@ObjectType({ description: "All the probes an agent is to run: what is not here any more is to stop." })
export class Assignments {
  @Field(() => String) version!: string;
  @Field(() => [ProbeAssignment]) probes!: ProbeAssignment[];
}

@ObjectType({ description: "Something an agent is to do." })
export class AgentCommand {
  @Field(() => ID) id!: string;
  @Field(() => String, { description: "The exact JSON text that was signed." }) payload!: string;
  @Field(() => String, { description: "Ed25519 over the payload, base64url." }) signature!: string;
}

@ObjectType({ description: "What an agent is told: everything in the first message, then what changed." })
export class AgentSession {
  @Field(() => Assignments, { nullable: true }) assignments!: Assignments | null;
  @Field(() => [AgentCommand]) commands!: AgentCommand[];
  @Field(() => Int) leaseMs!: number;
  @Field(() => BigIntText, {
    nullable: true,
    description: "Set on the first message: the high-water mark of the spool of `ackedEpoch`.",
  })
  ackedSeq!: number | null;
  @Field(() => String, { nullable: true }) ackedEpoch!: string | null;
}

const ReportCommandInput = inputFrom("ReportCommandInput", reportCommand.input);

@Resolver()
export class ReportResolver {
  @Subscription(() => AgentSession, {
    description: "An agent's session: the newest one of an agent wins. Results are accepted on its connection only.",
    subscribe: async ({ context: { scope, connection } }: { context: Context }) => {
      if (!connection || !isAgent(scope.principal))
        throw new AppError("FORBIDDEN", "agentSession is for enrolled agents on a WebSocket.");
      return agentsRoom(scope.app).sessions.open(connection, scope.principal);
    },
  })
  @Requires("agent:report")
  async agentSession(@Root() message: SessionMessage): Promise<SessionMessage> {
    return message;
  }

  @Mutation(() => BatchAck, { description: "Results of probes; acknowledged when they are committed." })
  @Requires("agent:report")
  async reportResults(@Arg("batch", () => ResultBatch) batch: unknown, @Ctx() context: Context): Promise<Ack> {
    const { app } = context.scope;
    return countBatch(app.metrics, agentsRoom(app).ingest.report(context, batch));
  }

  @Mutation(() => OutputAck, { description: "Live output of a command." })
  @Requires("agent:report")
  async reportOutput(@Arg("batch", () => OutputBatch) batch: unknown, @Ctx() { scope }: Context): Promise<OutputAck> {
    return reportOutput(scope, batch);
  }

  @Mutation(() => ReportCommandPayload, { description: "A command started, or ended." })
  @Requires("agent:report")
  async reportCommand(
    @Arg("input", () => ReportCommandInput) input: InstanceType<typeof ReportCommandInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => reportCommand(scope, input), { accepted: false });
  }
}
