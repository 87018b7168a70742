import {
  AgentSessionDocument,
  IncidentEventsDocument,
  ReportCommandDocument,
  ReportOutputDocument,
  ReportResultsDocument,
} from "@poppo-ops/client";
import { expect, onTestFinished, test, vi } from "vitest";
import { meddle, noMischief } from "./mischief.js";

const REPORTS = [ReportResultsDocument, ReportCommandDocument, ReportOutputDocument];
const NAMES = ["ReportResults", "ReportCommand", "ReportOutput"];
const subscribe = (id: string, document: { toString(): string }) =>
  JSON.stringify({ id, type: "subscribe", payload: { query: document.toString(), variables: {} } });

function connection(chances: { repeat?: number; overtake?: number }) {
  const mischief = Object.assign(noMischief(), chances);
  const [server, client]: [string[], string[]] = [[], []];
  const idOf = (text: string) => String(JSON.parse(text).id);
  const paths = meddle(mischief, () => 0.5, {
    toServer: (text) => server.push(idOf(text)),
    toClient: (text) => client.push(idOf(text)),
  });
  return { ...paths, server, client, done: mischief.done };
}

test("every report of an agent is sent twice, and the answer to the copy is nobody's", () => {
  const { fromClient, fromServer, server, client, done } = connection({ repeat: 1 });
  for (const [i, document] of REPORTS.entries()) fromClient(subscribe(`${i}`, document));
  expect(server).toEqual(["0", "copy-0", "1", "copy-1", "2", "copy-2"]);
  expect(done.doubledToServer).toEqual(new Map(NAMES.map((name) => [name, 1])));
  fromServer('{"id":"0","type":"next"}');
  fromServer('{"id":"copy-0","type":"next"}');
  expect(client).toEqual(["0"]);
});

test("a report is overtaken by the next one, and nothing by what is no report", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { fromClient, server, done } = connection({ overtake: 1 });
  fromClient(subscribe("1", ReportResultsDocument));
  fromClient(subscribe("2", ReportCommandDocument));
  fromClient(subscribe("3", ReportOutputDocument));
  fromClient(JSON.stringify({ id: "3", type: "complete" }));
  fromClient(subscribe("4", ReportResultsDocument));
  vi.runAllTimers();
  expect(server).toEqual(["2", "1", "3", "3", "4"]);
  expect(done.overtaken).toEqual(new Map([["ReportResults", 1]]));
});

test("subscriptions are asked for once; their messages arrive twice", () => {
  const { fromClient, fromServer, server, client, done } = connection({ repeat: 1, overtake: 1 });
  for (const document of [AgentSessionDocument, IncidentEventsDocument]) fromClient(subscribe("1", document));
  expect(server).toEqual(["1", "1"]);
  for (const field of ["agentSession", "incidentEvents"])
    fromServer(JSON.stringify({ id: field, type: "next", payload: { data: { [field]: {} } } }));
  expect(client).toEqual(["agentSession", "agentSession", "incidentEvents", "incidentEvents"]);
  expect([...done.doubledToClient.values()]).toEqual([1, 1]);
});
