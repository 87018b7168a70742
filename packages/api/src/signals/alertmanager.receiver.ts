import { isUnreachable } from "../db/database.js";
import { type App, systemScope } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { type Act, act } from "../kernel/command.js";
import { Gather } from "../kernel/gather.js";
import { timed } from "../kernel/metrics.js";
import { lockIntegrations, type ReceivingIntegration } from "./alertmanager.store.js";
import { applyDeliveries, type Delivery, type Receipt } from "./apply-alerts.js";

/** Alerts of one transaction. */
const FLUSH_ALERTS = 2000;

/**
 * The way of alerts into the database. What comes at the same time is one transaction: a commit for a single alert costs
 * as much as one for a thousand. A delivery is answered after the commit.
 */
export class AlertReceiver {
  private readonly queue: Gather<Delivery, Receipt>;

  constructor(private readonly app: App) {
    this.queue = new Gather(
      (deliveries) => timed(app.metrics.alerts.flush, () => this.flush(deliveries)),
      FLUSH_ALERTS,
      ({ payload }) => payload.alerts.length + 1,
    );
  }

  /**
   * @returns when what it says is committed
   * @throws {AppError} NOT_FOUND when the integration was revoked meanwhile, UNAVAILABLE when the sender has given up
   */
  receive(delivery: Delivery): Promise<Receipt> {
    return this.queue.add(delivery);
  }

  async stop(): Promise<void> {
    await this.queue.idle();
  }

  private async flush(deliveries: Delivery[]): Promise<(Receipt | Error)[]> {
    try {
      return await this.commit(deliveries);
    } catch (error) {
      if (deliveries.length === 1 || isUnreachable(error)) throw error;
      this.app.log.warn({ err: error, deliveries: deliveries.length }, "alerts could not be stored together");
      return this.commitEach(deliveries);
    }
  }

  /** One that cannot be stored is sent again and again; it must not take along what comes with it each time. */
  private async commitEach(deliveries: Delivery[]): Promise<(Receipt | Error)[]> {
    const outcomes: (Receipt | Error)[] = [];
    for (const delivery of deliveries) {
      const [outcome] = await this.commit([delivery]).catch((error: Error) => [error]);
      outcomes.push(outcome!);
    }
    return outcomes;
  }

  /**
   * A sender that has given up sends again, also through another replica, and may have sent the alert's end since: what
   * lay here meanwhile, because this replica was frozen or waited for the lock, is old and must not be applied last.
   */
  private async commit(deliveries: Delivery[]): Promise<(Receipt | Error)[]> {
    const ids = [...new Set(deliveries.map(({ integrationId }) => integrationId))];
    const run = async (tools: Act) => {
      const integrations: ReceivingIntegration[] = tools.opened!.rows;
      const awaited = deliveries.filter((delivery) => delivery.isAwaited());
      const receipts = await applyDeliveries(tools, awaited, new Map(integrations.map((row) => [row.id, row])));
      const receiptOf = new Map(awaited.map((delivery, i) => [delivery, receipts[i]!]));
      return deliveries.map((delivery) => receiptOf.get(delivery) ?? givenUp());
    };
    const outcomes = await act(systemScope(this.app, "alertmanager"), run, lockIntegrations(ids));
    this.count(outcomes);
    return outcomes;
  }

  private count(outcomes: (Receipt | Error)[]): void {
    const { stored } = this.app.metrics.alerts;
    const receipts = outcomes.flatMap((outcome) => (outcome instanceof Error ? [] : outcome));
    for (const outcome of ["raised", "duplicates", "resolved", "ignored"] as const)
      stored.inc(
        { outcome },
        receipts.reduce((sum, receipt) => sum + receipt[outcome], 0),
      );
  }
}

const givenUp = () => new AppError("UNAVAILABLE", "The sender did not wait for the answer; it sends again.");
