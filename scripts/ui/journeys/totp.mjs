// An authenticator app (RFC 6238: SHA-1, 30 seconds, 6 digits).

import crypto from "node:crypto";

const STEP = 30_000;

/** The bytes of a secret as people read it (RFC 4648 §6, without padding). */
function bytes(secret) {
  const bits = [...secret.replaceAll(/\s/g, "")]
    .map((digit) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(digit).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

export class App {
  #used = -1;

  constructor(secret) {
    this.secret = bytes(secret);
  }

  at(step) {
    const count = Buffer.alloc(8);
    count.writeBigUInt64BE(BigInt(step));
    const mac = crypto.createHmac("sha1", this.secret).update(count).digest();
    return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
  }

  /**
   * A code that the server still takes. It takes each step's once, and those of the steps beside the present one too, so
   * that three can be had without waiting.
   */
  async code() {
    for (;;) {
      const now = Date.now();
      const present = Math.floor(now / STEP);
      // The step before is not taken any more once the present one has ended, which may be on the code's way.
      const first = STEP - (now % STEP) > 10_000 ? present - 1 : present;
      const step = Math.max(first, this.#used + 1);
      if (step <= present + 1) {
        this.#used = step;
        return this.at(step);
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  /** A code that is none of those that are taken. */
  wrong() {
    const present = Math.floor(Date.now() / STEP);
    const right = [-1, 0, 1, 2].map((beside) => this.at(present + beside));
    return ["000000", "111111", "222222", "333333", "444444"].find((code) => !right.includes(code));
  }
}
