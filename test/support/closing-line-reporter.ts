/** Vitest prints no plain summary: this reporter ends a run with one line that a person or a CI system can rely on. */
import { writeSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule, TestSuite } from 'vitest/node';

/**
 * Prints `N passed, N failed` (and `, N skipped` when there are any) as the very last line of stdout. What fails outside
 * a test counts as failed too: a file that cannot be imported, a hook, an unhandled rejection. Exit status 1 when no test ran.
 */
export default class ClosingLineReporter implements Reporter {
  private readonly count = { passed: 0, failed: 0, skipped: 0 };

  onInit(): void {
    process.once('exit', () => {
      const { passed, failed } = this.count;
      if (passed + failed === 0 || failed > 0) process.exitCode ||= 1;
      writeWhole(`${this.closingLine()}\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    Object.assign(this.count, { passed: 0, failed: unhandledErrors.length, skipped: 0 });
    for (const module of modules) {
      for (const group of [module, ...module.children.allSuites()]) this.countErrorsOf(group);
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        this.count[state === 'pending' ? 'skipped' : state] += 1;
      }
    }
  }

  private countErrorsOf(group: TestModule | TestSuite): void {
    if (group.errors().length > 0) this.count.failed += 1;
  }

  private closingLine(): string {
    const { passed, failed, skipped } = this.count;
    return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  }
}

/** Writes to stdout at once, waiting for a slow reader: nothing asynchronous can happen any more while a process exits. */
function writeWhole(text: string): void {
  for (let rest = Buffer.from(text); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}
