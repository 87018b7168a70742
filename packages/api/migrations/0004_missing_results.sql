CREATE TABLE "missing_results" (
	"agent_id" uuid NOT NULL,
	"probe_id" uuid NOT NULL,
	"since" timestamp (3) with time zone NOT NULL,
	"incident_id" uuid,
	CONSTRAINT "missing_results_agent_id_probe_id_pk" PRIMARY KEY("agent_id","probe_id")
);
--> statement-breakpoint
ALTER TABLE "missing_results" ADD CONSTRAINT "missing_results_agent_id_agents_id_fk" FOREIGN KEY ("agent_id") REFERENCES "public"."agents"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "missing_results" ADD CONSTRAINT "missing_results_probe_id_probes_id_fk" FOREIGN KEY ("probe_id") REFERENCES "public"."probes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "missing_results" ADD CONSTRAINT "missing_results_incident_id_incidents_id_fk" FOREIGN KEY ("incident_id") REFERENCES "public"."incidents"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "missing_results_probe" ON "missing_results" USING btree ("probe_id");