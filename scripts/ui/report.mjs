// What came of each check: a line for each failure, and the closing line that scripts/test reads.

let passed = 0, failed = 0;

/** What was looked at, and everything that is wrong with it. */
export function tell(what, faults) {
  if (faults.length === 0) {
    passed++;
    return;
  }
  failed++;
  for (const fault of faults) console.log(`FAIL ${what}: ${fault}`);
}

/** The closing line, and the exit status. */
export function close() {
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}
