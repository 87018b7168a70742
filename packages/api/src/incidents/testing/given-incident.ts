import type { TestApp } from "../../kernel/testing/test-app.js";
import * as service from "../incident.service.js";
import type { IncidentStatus } from "../incident.state.js";
import type { IncidentRow } from "../incident.table.js";

type NewIncident = Parameters<typeof service.raiseIncident>[1];

/** An incident that came to that status by what people do. */
export async function givenIncident(
  app: TestApp,
  status: IncidentStatus,
  fields: Partial<NewIncident> = {},
): Promise<IncidentRow> {
  const scope = app.as("RESPONDER");
  const { incident } = await service.raiseIncident(scope, { title: "disk is full", severity: "P2", ...fields });
  const { id } = incident;
  switch (status) {
    case "TRIGGERED":
      return incident;
    case "ACKNOWLEDGED":
      return (await service.acknowledgeIncident(scope, { id })).incident;
    case "SNOOZED":
      return (await service.snoozeIncident(scope, { id, for: "1h" })).incident;
    case "RESOLVED":
      return (await service.resolveIncident(scope, { id })).incident;
    case "MERGED": {
      const into = await givenIncident(app, "TRIGGERED");
      await service.mergeIncidents(scope, { intoId: into.id, fromIds: [id] });
      return { ...incident, status: "MERGED", mergedIntoId: into.id };
    }
  }
}
