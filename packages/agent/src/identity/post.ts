import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { text } from "node:stream/consumers";
import type { HttpOptions } from "@poppo-ops/client";

/** A `fetch` for the one request of an agent's life. The global one keeps 13 MiB for good once it was called. */
export const post: NonNullable<HttpOptions["fetch"]> = (url, { method, headers, body, signal }) =>
  new Promise((resolve, reject) => {
    const request = url.startsWith("https:") ? requestHttps : requestHttp;
    request(url, { method, headers, signal, agent: false }, (response) => {
      const read = text(response);
      read.catch(() => {});
      resolve({ status: response.statusCode!, text: () => read });
    })
      .once("error", reject)
      .end(body);
  });
