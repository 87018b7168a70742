import { CreateServiceDocument, RaiseIncidentDocument, unwrap } from "@poppo-ops/client";
import type { ServerProcess } from "../harness/server-process.js";
import { openSql } from "../harness/sql.js";

export interface EventSource extends AsyncDisposable {
  /** Commits one event for each filter, in one transaction. */
  commit(): void;
  /** Everything is committed. */
  idle(): Promise<unknown>;
  filters: { serviceIds?: string[] }[];
}

/** Commits events without the cost of the mutation that would make them. */
export async function openEventSource({ client, databaseUrl }: ServerProcess, filters: number): Promise<EventSource> {
  const events: object[] = [];
  const serviceIds: string[] = [];
  for (let i = 0; i < filters; i++) {
    const { createService } = await client.request(CreateServiceDocument, { input: { name: `service ${i}` } });
    const serviceId = unwrap(createService).service!.id;
    const { raiseIncident } = await client.request(RaiseIncidentDocument, {
      input: { title: `service ${i} fails`, severity: "P3", serviceId },
    });
    serviceIds.push(serviceId);
    events.push(noteOn(unwrap(raiseIncident).incident!.id, serviceId));
  }
  const sql = await openSql(databaseUrl);
  const text = JSON.stringify(events);
  let last: Promise<unknown> = Promise.resolve();
  return {
    filters: filters === 1 ? [{}] : serviceIds.map((id) => ({ serviceIds: [id] })),
    commit() {
      last = last.then(() =>
        sql.query("SELECT append_events($1), pg_notify('poppo_hints', E'bench\\nevents')", [text]),
      );
    },
    idle: () => last,
    async [Symbol.asyncDispose]() {
      await last;
      await sql[Symbol.asyncDispose]();
    },
  };
}

const noteOn = (incidentId: string, serviceId: string) => ({
  type: "incident.note_added",
  at: Date.now(),
  actor: "bench",
  incidentId,
  serviceId,
  severity: "P3",
  summary: "the queue is drained, the consumer is back",
  payload: { text: "the queue is drained, the consumer is back" },
});
