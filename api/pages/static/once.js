// Requests that start something: sent once, however often a button is pressed.

// The second press of a double click follows within this time, even on slow machines.
const TWICE_MS = 3_000;

export class Once {
  #last = null;

  /**
   * Send `what`, a text that stands for the whole request: `send(key)` gets an idempotency key.
   * Returns the answer, `first` (false for every press but the first) and `twice` (there was
   * another press meanwhile). After a lost connection the same request has the same key again.
   */
  async run(what, send) {
    const last = this.#last;
    if (last?.what === what && !last.failed && Date.now() - last.at < TWICE_MS) {
      last.twice = true;
      return { answer: await last.answer, first: false, twice: true };
    }
    const mine = { what, at: Date.now(), twice: false, failed: false, key: last?.failed && last.what === what ? last.key : newKey() };
    this.#last = mine;
    mine.answer = send(mine.key);
    try {
      const answer = await mine.answer;
      mine.at = Date.now();
      return { answer, first: true, twice: mine.twice };
    } catch (error) {
      mine.failed = true;
      throw error;
    }
  }
}

/** 128 random bits. `crypto.randomUUID` exists on secure origins only. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
