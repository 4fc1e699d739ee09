/**
 * How the domain tells of its progress without knowing a terminal. `log` is a line in the original product's form;
 * `step` is a piece of work that a person waits for.
 */
export interface Reporter {
  log(logger: string, level: 'DEBUG' | 'INFO' | 'WARNING', message: string, at?: Date): void;
  step<T>(text: string, work: () => Promise<T>): Promise<T>;
}
