/**
 * The other end of `startLoad` for a module that imports nothing of this repository.
 * `run(input, onTold)` resolves to the answer; the process goes on until it is ended.
 */
export function serve(run) {
  const onTold = (listener) => process.on("message", ({ told }) => listener(told));
  process.once("message", (input) => {
    run(input, onTold).then(
      (answer) => process.send({ answer }),
      (error) => process.send({ error: error.stack }),
    );
  });
}

/** Listens on a free port of the loopback and resolves to its URL. */
export const listen = (server) =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`));
  });
