import type { PerfDatum } from "../perfdata.js";

export const PERFDATA: [string, PerfDatum[]][] = [
  ["time=0.012s;;;0.0", [{ label: "time", value: 0.012, unit: "s", min: 0 }]],
  ["'used space'=5GB;8;9;0;10", [{ label: "used space", value: 5, unit: "GB", warn: "8", crit: "9", min: 0, max: 10 }]],
  ["'it''s'=1", [{ label: "it's", value: 1, unit: "" }]],
  ["'a=b'=1", [{ label: "a=b", value: 1, unit: "" }]],
  [
    "x=U y=2",
    [
      { label: "x", value: null, unit: "" },
      { label: "y", value: 2, unit: "" },
    ],
  ],
  ["x=1.5e-3s", [{ label: "x", value: 0.0015, unit: "s" }]],
  ["x=-4;~:10;@5:6", [{ label: "x", value: -4, unit: "", warn: "~:10", crit: "@5:6" }]],
  ["  x=99%;;  ", [{ label: "x", value: 99, unit: "%" }]],
  [
    "/=2643MB;5948;5958;0;5968",
    [{ label: "/", value: 2643, unit: "MB", warn: "5948", crit: "5958", min: 0, max: 5968 }],
  ],
];

export const NO_PERFDATA = [
  "x=1,5",
  "x=",
  "x",
  "x=abc",
  "x=0x10",
  "x=1e999",
  "x=NaN",
  "x=Infinity",
  "'x=1",
  "''=1",
  "=1",
  "x=1;2;3;4;5;6",
  "--timeout=10",
  " -c <crit> [-t <seconds>]",
];
