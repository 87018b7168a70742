import { OUTCOME_STATUSES, type OutcomeStatus } from "@poppo-ops/plugins/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluate, type SignalState, type Transition, verdictOf } from "./evaluate.js";
import { type SignalRules, signalRules } from "./signal-rules.js";

const LETTERS: Record<string, OutcomeStatus> = {
  o: "OK",
  w: "WARN",
  c: "CRIT",
  u: "UNKNOWN",
  n: "NOT_APPLICABLE",
  t: "TIMEOUT",
  i: "INTERRUPTED",
};

const DEADLINE_MS = 30_000;

/** Plays outcomes ten seconds apart and notes each transition as `<position><kind>`. */
function play(letters: string, rules: Partial<Record<keyof SignalRules, unknown>> = {}) {
  const parsed = signalRules.parse(rules);
  let state: SignalState | undefined;
  const transitions: string[] = [];
  [...letters].forEach((letter, i) => {
    const evaluated = evaluate(state, { status: LETTERS[letter]!, at: i * 10_000 }, parsed, DEADLINE_MS);
    state = evaluated.state;
    if (evaluated.transition) transitions.push(`${i} ${evaluated.transition.kind}`);
  });
  return { state: state!, transitions };
}

describe("what raises and what recovers, with three attempts and two recoveries", () => {
  const cases: [outcomes: string, expected: string[], why: string][] = [
    ["ooooo", [], "all is well"],
    ["ccc", ["2 raise"], "three in a row, from the very first outcome"],
    ["occocco", [], "two in a row are not believed"],
    ["occcccc", ["3 raise"], "a problem is raised once"],
    ["cccoo", ["2 raise", "4 recover"], "two good ones end it"],
    ["cccococoo", ["2 raise", "8 recover"], "one good one does not"],
    ["cccooccc", ["2 raise", "4 recover", "7 raise"], "failing again is a new problem"],
    ["cucuc", ["4 raise"], "an unclear outcome neither counts nor starts anew"],
    ["cccuuuu", ["2 raise"], "an unclear outcome is no recovery"],
    ["ccit", ["3 raise"], "an interrupted run says nothing; a timeout counts as bad by default"],
    ["ccciiio", ["2 raise"], "an interrupted run is no recovery"],
    ["cccn", ["2 raise", "3 recover"], "what is gone has no problem"],
    ["nccc", ["3 raise"], "what comes into being may fail"],
    ["cccww", ["2 raise", "4 recover"], "a warning that raises nothing is good enough"],
    ["uuuuuu", [], "unclear is never down"],
  ];
  test.each(cases)("%s: %j (%s)", (outcomes, expected) => {
    expect(play(outcomes).transitions).toEqual(expected);
  });
});

describe("rules", () => {
  test("a problem must last `forMs`", () => {
    expect(play(`oc${"c".repeat(6)}`, { attempts: 1, forMs: 30_000 }).transitions).toEqual(["4 raise"]);
  });
  test("a good outcome starts `forMs` anew", () => {
    expect(play("occcocccc", { attempts: 1, forMs: 30_000 }).transitions).toEqual(["8 raise"]);
  });
  test("one attempt raises at once", () => {
    expect(play("oc", { attempts: 1 }).transitions).toEqual(["1 raise"]);
  });
  test("a warning that raises gets worse as CRIT, once", () => {
    const { transitions } = play("owwwcccw", { raiseOn: ["WARN", "CRIT"] });
    expect(transitions).toEqual(["3 raise", "4 worsen"]);
  });
  test("UNKNOWN raises only when the rules say so", () => {
    expect(play("ouuu", { raiseOn: ["UNKNOWN", "CRIT"] }).transitions).toEqual(["3 raise"]);
    expect(play("cccuu", { raiseOn: ["UNKNOWN", "CRIT"] }).transitions).toEqual(["2 raise"]);
  });
  test("a problem recovers though the rules no longer raise on its status", () => {
    const raised = play("ccc").state;
    const rules = signalRules.parse({ raiseOn: ["TIMEOUT"], recoveries: 1 });
    expect(evaluate(raised, { status: "CRIT", at: 30_000 }, rules, DEADLINE_MS).transition?.kind).toBe("recover");
  });
});

describe("a time in which nobody looked", () => {
  /** Plays outcomes at these seconds. */
  const playAt = (seen: [letter: string, second: number][], rules: object) => {
    let state: SignalState | undefined;
    return seen.flatMap(([letter, second]) => {
      const outcome = { status: LETTERS[letter]!, at: second * 1000 };
      const evaluated = evaluate(state, outcome, signalRules.parse(rules), DEADLINE_MS);
      state = evaluated.state;
      return evaluated.transition ? `${second} ${evaluated.transition.kind}: ${evaluated.transition.reason}` : [];
    });
  };

  test("is no time in which it was bad: neither the attempts nor `forMs` go on", () => {
    const rules = { attempts: 2, forMs: 600_000 };
    const blips: [string, number][] = [
      ["o", 0],
      ["c", 10],
      ["c", 3600],
    ];
    expect(playAt(blips, rules)).toEqual([]);
    expect(playAt([...blips, ["c", 3610]], { attempts: 2 })).toEqual(["3610 raise: bad 2 times in a row"]);
    expect(playAt([...blips.slice(0, 2), ["u", 3600], ["c", 3610]], { attempts: 2 })).toEqual([]);
  });
  test("is no time in which it was good", () => {
    const recovering: [string, number][] = [
      ["c", 0],
      ["o", 10],
      ["o", 3600],
    ];
    expect(playAt(recovering, { attempts: 1 })).toEqual(["0 raise: bad once in a row"]);
    expect(playAt([...recovering, ["o", 3610]], { attempts: 1 })[1]).toBe("3610 recover: good 2 times in a row");
  });
  test("leaves a problem as it was", () => {
    const { state } = play("occc");
    expect(evaluate(state, { status: "CRIT", at: 9e6 }, signalRules.parse({}), DEADLINE_MS)).toMatchObject({
      state: { problem: true, since: state.since },
      transition: null,
    });
  });
});

describe("soft and hard", () => {
  test("the hard status waits for the attempts while the status follows each outcome", () => {
    expect(play("oocc").state).toMatchObject({ status: "CRIT", hardStatus: "OK", attempt: 2, since: 20_000 });
    expect(play("ooccc").state).toMatchObject({ status: "CRIT", hardStatus: "CRIT", attempt: 0, since: 20_000 });
    expect(play("oocccuo").state).toMatchObject({ status: "OK", hardStatus: "CRIT", attempt: 1, since: 60_000 });
  });
  test("what was never seen well is not called OK while it fails softly", () => {
    expect(play("c").state).toMatchObject({ status: "CRIT", hardStatus: "NOT_APPLICABLE", attempt: 1 });
  });
});

describe("flapping", () => {
  test("raises although no streak is long enough, holds recoveries back, and ends when it is calm", () => {
    const flaps = "oc".repeat(5);
    expect(play(flaps).transitions).toEqual(["8 flapping-start", "9 raise"]);
    const calm = play(`${flaps}${"o".repeat(20)}`);
    expect(calm.transitions.map((t) => t.split(" ")[1])).toEqual(["flapping-start", "raise", "recover"]);
    expect(calm.state).toMatchObject({ problem: false, flapping: false, hardStatus: "OK" });
  });
  test("raises nothing further while it lasts", () => {
    const { transitions } = play("oc".repeat(40));
    expect(transitions.filter((t) => t.endsWith("raise"))).toHaveLength(1);
  });
  test("that ends in constant failure says so and keeps the problem", () => {
    const { transitions, state } = play(`${"oc".repeat(5)}${"c".repeat(20)}`);
    expect(transitions.at(-1)).toMatch(/flapping-stop$/);
    expect(state).toMatchObject({ problem: true, flapping: false, hardStatus: "CRIT" });
  });
});

describe("for any outcomes and rules", () => {
  const rules = fc
    .record({
      attempts: fc.integer({ min: 1, max: 6 }),
      recoveries: fc.integer({ min: 1, max: 6 }),
      forMs: fc.constantFrom(0, 15_000),
      raiseOn: fc.subarray(["WARN", "CRIT", "UNKNOWN", "TIMEOUT"] as const),
    })
    .map((given) => signalRules.parse(given));
  const outcomes = fc.array(fc.constantFrom(...OUTCOME_STATUSES), { maxLength: 120 });

  const run = (statuses: OutcomeStatus[], given: SignalRules) => {
    const steps: { status: OutcomeStatus; before?: SignalState; state: SignalState; transition: Transition | null }[] =
      [];
    let before: SignalState | undefined;
    statuses.forEach((status, i) => {
      const { state, transition } = evaluate(before, { status, at: i * 10_000 }, given, DEADLINE_MS);
      steps.push({ status, before, state, transition });
      before = state;
    });
    return steps;
  };

  test("raises and recoveries alternate, and `problem` says which came last", () => {
    fc.assert(
      fc.property(outcomes, rules, (statuses, given) => {
        let problem = false;
        for (const { state, transition } of run(statuses, given)) {
          if (transition?.kind === "raise") {
            expect(problem).toBe(false);
            problem = true;
          }
          if (transition?.kind === "recover") {
            expect(problem).toBe(true);
            problem = false;
          }
          expect(state.problem).toBe(problem);
        }
      }),
    );
  });

  test("only a bad outcome raises or worsens, and only a good one or a farewell recovers", () => {
    fc.assert(
      fc.property(outcomes, rules, (statuses, given) => {
        for (const { status, transition } of run(statuses, given)) {
          const verdict = verdictOf(status, given);
          if (transition?.kind === "raise" || transition?.kind === "worsen") expect(verdict).toBe("bad");
          if (transition?.kind === "recover") expect(["good", "gone"]).toContain(verdict);
        }
      }),
    );
  });

  test("nothing recovers while flapping unless it is gone, and the input state is never changed", () => {
    fc.assert(
      fc.property(outcomes, rules, (statuses, given) => {
        for (const { status, before, state, transition } of run(statuses, given)) {
          if (transition?.kind === "recover" && status !== "NOT_APPLICABLE") expect(state.flapping).toBe(false);
          if (before) evaluate(Object.freeze(before), { status, at: state.lastAt }, given, DEADLINE_MS);
        }
      }),
    );
  });
});
