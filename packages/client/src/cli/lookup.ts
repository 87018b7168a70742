import type { Client } from "../client.js";
import { AgentDocument, ProbeDocument, ServiceDocument } from "../generated/graphql.js";
import { notFound } from "./failure.js";
import { isId } from "./incident-reference.js";

/** People name things; the API wants ids. */
export async function agentId(client: Client, given: string): Promise<string> {
  if (isId(given)) return given;
  const { agent } = await client.request(AgentDocument, { name: given });
  if (!agent) throw notFound(`agent "${given}"`, "See `poppo-ops agents list`.");
  return agent.id;
}

export async function probeId(client: Client, given: string): Promise<string> {
  if (isId(given)) return given;
  const { probe } = await client.request(ProbeDocument, { name: given });
  if (!probe) throw notFound(`probe "${given}"`, "See `poppo-ops probes list`.");
  return probe.id;
}

export async function serviceId(client: Client, given: string): Promise<string> {
  if (isId(given)) return given;
  const { service } = await client.request(ServiceDocument, { name: given });
  if (!service) throw notFound(`service "${given}"`, "See `poppo-ops services list`.");
  return service.id;
}
