import { manifests } from "@poppo-ops/plugins/manifests";
import { Field, Int, ObjectType, Query, Resolver } from "type-graphql";
import { z } from "zod";
import { publishEnum } from "../graphql/enums.js";
import { Requires } from "../graphql/policy.js";
import { Json } from "../graphql/scalars.js";

const RISKS = ["R0", "R1", "R2", "R3"] as const;
const RiskEnum = publishEnum(
  "Risk",
  RISKS,
  "R0 reads; R1 is reversible and without impact; R2 disrupts briefly; R3 changes data or configuration, or is a wide outage.",
);

@ObjectType({ description: "A kind of probe." })
export class PluginProbe {
  @Field(() => String, { description: "`<plugin>.<probe>`." }) kind!: string;
  @Field(() => String) title!: string;
  @Field(() => String) description!: string;
  @Field(() => Json, { description: "JSON Schema of `config`." }) configSchema!: unknown;
  @Field(() => Int, { description: "Suggested." }) intervalMs!: number;
  @Field(() => Int, { description: "Suggested." }) timeoutMs!: number;
}

@ObjectType({ description: "A kind of remediation." })
export class PluginRemediation {
  @Field(() => String, { description: "`<plugin>.<remediation>`." }) kind!: string;
  @Field(() => String) title!: string;
  @Field(() => String) description!: string;
  @Field(() => Json, { description: "JSON Schema of `input`." }) inputSchema!: unknown;
  @Field(() => RiskEnum) risk!: string;
  @Field(() => Boolean, { description: "Twice does what once does." }) idempotent!: boolean;
  @Field(() => Boolean, { description: "What it does can be undone; the server does not undo it by itself." })
  reversible!: boolean;
  @Field(() => String, { description: "The probe that proves its effect." }) verifyProbe!: string;
}

@ObjectType({ description: "What a built-in plugin offers." })
export class Plugin {
  @Field(() => String) name!: string;
  @Field(() => String) version!: string;
  @Field(() => String) description!: string;
  @Field(() => [PluginProbe]) probes!: PluginProbe[];
  @Field(() => [PluginRemediation]) remediations!: PluginRemediation[];
}

@Resolver()
export class PluginResolver {
  @Query(() => [Plugin], { description: "The built-in plugins and what they offer." })
  @Requires("read")
  async plugins(): Promise<Plugin[]> {
    catalogue ??= Object.values(manifests).map(describe);
    return catalogue;
  }
}

/** Manifests do not change while the process runs, and their JSON Schemas are not free. */
let catalogue: Plugin[] | undefined;

type Manifest = (typeof manifests)[string];

const describe = ({ name, version, description, probes, remediations }: Manifest): Plugin => ({
  name,
  version,
  description,
  probes: Object.entries(probes).map(([key, { title, description, config, intervalMs, timeoutMs }]) => ({
    kind: `${name}.${key}`,
    configSchema: jsonSchema(config),
    ...{ title, description, intervalMs, timeoutMs },
  })),
  remediations: Object.entries(remediations).map(
    ([key, { title, description, input, risk, idempotent, reversible, verify }]) => ({
      kind: `${name}.${key}`,
      inputSchema: jsonSchema(input),
      reversible: reversible === true,
      verifyProbe: verify.probe,
      ...{ title, description, risk, idempotent },
    }),
  ),
});

/** What a person writes, so the input side; what JSON Schema cannot say is left open. */
const jsonSchema = (schema: z.ZodType): unknown => z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
