// The stream of states, for as long as the page is open.

const AGAIN_MS = 5_000;
// The sidecar says something every few seconds, if only that it is there.
const SILENT_MS = 15_000;

/** Call onState with each state, and onHeard whenever it turned out that the stream lives or not. */
export function follow(onState, onHeard) {
  let heardMs = 0;

  function heard() {
    heardMs = performance.now();
    onHeard(true);
  }

  function open() {
    const source = new EventSource("/events");
    source.addEventListener("state", (event) => {
      onState(JSON.parse(event.data));
      heard();
    });
    source.addEventListener("heartbeat", heard);
    source.addEventListener("error", () => {
      // A stream that ended is asked for again by the browser; a refusal is not.
      if (source.readyState === EventSource.CLOSED) {
        setTimeout(open, AGAIN_MS);
      }
    });
  }

  open();
  setInterval(() => {
    if (performance.now() - heardMs > SILENT_MS) {
      onHeard(false);
    }
  }, 1_000);
}
