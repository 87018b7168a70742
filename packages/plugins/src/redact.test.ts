import { describe, expect, test } from "vitest";
import { redact } from "./redact.js";

describe("what is secret", () => {
  test.each([
    ["DB_PASSWORD=hunter2", "hunter2"],
    ["password: hunter2", "hunter2"],
    ['{"password":"hun\\"ter2","user":"ana"}', "ter2"],
    ['{\\"api_key\\":\\"hunter2\\"}', "hunter2"],
    ["client_secret = 'hunter 2'", "hunter 2"],
    ['passwd="hunter2 cut off', "hunter2"],
    ["--token hunter2 --verbose", "hunter2"],
    ["mysqld --db-password hunter2", "hunter2"],
    ["AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"],
    ["Authorization: Bearer abc.def.ghi", "abc.def"],
    ["Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"],
    ['{"authorization":"Basic dXNlcjpwYXNz"}', "dXNlcjpwYXNz"],
    ["sent bearer abcdef0123456789", "abcdef0123456789"],
    ["key sk-proj-abcdefghijklmnop1234", "abcdefghijklmnop"],
    ["ghp_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijkl"],
    ["AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"],
    ["jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefgh", "eyJzdWIi"],
    ["postgres://app:hunter2@db:5432/shop", "hunter2"],
    ["redis://:hun@ter2@cache:6379", "ter2"],
    ["-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----", "MIIEow"],
    ["-----BEGIN PRIVATE KEY-----\nMIIEow cut off", "MIIEow"],
    ["MIIEowIBAAKCAQEAx8KXoLWcHiiG5bq7PuTnSZkCuxxVp2q0bTXZ1p5cTq9e7R2Z", "CAQEAx8K"],
  ])("%s is hidden", (text, secret) => {
    const redacted = redact(text);
    expect(redacted).toContain("[redacted]");
    expect(redacted).not.toContain(secret);
  });
});

describe("what is not secret", () => {
  test.each([
    'FATAL: password authentication failed for user "app"',
    "GET https://shop.example:8443/cart?item=7 200",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "exited with code 137; restarting in 5 s (attempt 3/10)",
    "listening on http://0.0.0.0:3000",
  ])("%s stays as it is", (text) => {
    expect(redact(text)).toBe(text);
  });
});

test("what surrounds a secret stays readable", () => {
  expect(redact('{"user":"ana","password":"x","port":5432}')).toBe('{"user":"ana","password":[redacted],"port":5432}');
  expect(redact("postgres://app:x@db:5432/shop is down")).toBe("postgres://app:[redacted]@db:5432/shop is down");
});

test("redacting twice changes nothing more", () => {
  const once = redact("DB_PASSWORD=hunter2 --token abc Authorization: Bearer abcdefghijkl");
  expect(redact(once)).toBe(once);
});

describe("a hostile text of two million characters is read in linear time", () => {
  // With quadratic time any of these outlasts the test's time limit by hours.
  const MiB2 = 2_000_000;
  const fill = (piece: string) => piece.repeat(Math.ceil(MiB2 / piece.length));
  test.each([
    "password",
    "password=",
    'password="',
    "password='",
    'password="\\',
    '\\"password\\":\\"',
    "authorization",
    "authorization:",
    "--token ",
    "-",
    "--",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN ",
    "://",
    "://a:",
    "://:@",
    "eyJ",
    "eyJ-",
    "eyJaaaaaaaa.",
    "sk-",
    "ghp_",
    "AKIA",
    "bearer ",
    "Aa",
    " ",
    "\n",
  ])("%j repeated", (piece) => {
    expect(redact(fill(piece)).length).toBeGreaterThan(0);
  });
});
