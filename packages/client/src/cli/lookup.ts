import type { Client } from "../client.js";
import {
  AgentDocument,
  IntegrationDocument,
  ProbeDocument,
  type ProbeFieldsFragment,
  RemediationRunsDocument,
  ServiceDocument,
} from "../generated/graphql.js";
import { notFound, usage } from "./failure.js";
import { incidentId, isId } from "./incident-reference.js";

/** People name things; the API wants ids. */
export async function agentId(client: Client, given: string): Promise<string> {
  if (isId(given)) return given;
  const { agent } = await client.request(AgentDocument, { name: given });
  if (!agent) throw notFound(`agent "${given}"`, "See `poppo-ops agents list`.");
  return agent.id;
}

export const probeId = async (client: Client, given: string): Promise<string> =>
  isId(given) ? given : (await probeOf(client, given)).id;

export async function probeOf(client: Client, given: string): Promise<ProbeFieldsFragment> {
  const { probe } = await client.request(ProbeDocument, isId(given) ? { id: given } : { name: given });
  if (!probe) throw notFound(`probe "${given}"`, "See `poppo-ops probes list`.");
  return probe;
}

export async function serviceId(client: Client, given: string): Promise<string> {
  if (isId(given)) return given;
  const { service } = await client.request(ServiceDocument, { name: given });
  if (!service) throw notFound(`service "${given}"`, "See `poppo-ops services list`.");
  return service.id;
}

export async function integrationId(client: Client, given: string): Promise<string> {
  if (isId(given)) return given;
  const { integration } = await client.request(IntegrationDocument, { name: given });
  if (!integration) throw notFound(`integration "${given}"`, "See `poppo-ops integrations list`.");
  return integration.id;
}

/** What `<run>` takes: nobody types 36 characters at night, so the number of the incident stands for its newest run. */
export const RUN_ARGUMENT = "id, or the number of an incident for its newest run";

export async function runId(client: Client, given: string): Promise<string> {
  if (isId(given)) return given;
  if (!/^#?\d+$/.test(given))
    throw usage(`"${given}" is no remediation run: write its id, or the number of its incident for the newest one.`);
  const filter = { incidentIds: [await incidentId(client, given)] };
  const { nodes } = (await client.request(RemediationRunsDocument, { filter, first: 1 })).remediationRuns;
  if (!nodes[0]) throw notFound(`remediation run of incident ${given}`, "See `poppo-ops remediations list`.");
  return nodes[0].id;
}
