import { failure } from './errors.ts';

/** One end of a channel between two processes of this program. */
interface Channel {
  send?(message: object, sent: (error: Error | null) => void): unknown;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
}

/** What each question is answered with. */
export type Answers = Record<string, (argument: never) => unknown>;

/** Asks the process at the other end. */
export type Ask = <T>(question: string, argument?: unknown) => Promise<T>;

interface Message {
  ktadmin: 'question' | 'answer';
  id: number;
  question: string;
  value: unknown;
}

function messageOf(value: unknown): Message | undefined {
  const message = value as Message | null;
  return typeof message === 'object' && message?.ktadmin !== undefined ? message : undefined;
}

/**
 * Two processes that ask each other: what one asks by `ask`, the other answers by its `answers`. When the channel breaks,
 * whatever is still unanswered fails.
 */
export function converse(channel: Channel, answers: Answers): Ask {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(reason: unknown): void }>();
  let last = 0;
  // Without a function that takes it, an error of sending would be nobody's, and end the process.
  const send = (message: Message, failed: (error: Error) => void) =>
    channel.send?.(message, (error) => error !== null && failed(error));

  const answer = async ({ id, question, value }: Message) => {
    const result = await answers[question]?.(value as never);
    // Where the other process has ended meanwhile, nobody waits for the answer.
    send({ ktadmin: 'answer', id, question, value: result }, () => undefined);
  };
  channel.on('message', (received) => {
    const message = messageOf(received);
    if (message?.ktadmin === 'question') void answer(message);
    if (message?.ktadmin !== 'answer') return;
    waiting.get(message.id)?.resolve(message.value);
    waiting.delete(message.id);
  });
  channel.on('disconnect', () => {
    for (const { reject } of waiting.values()) reject(failure('failed', 'the other process has ended'));
    waiting.clear();
  });

  return <T>(question: string, argument?: unknown) =>
    new Promise<T>((resolve, reject) => {
      const id = ++last;
      waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      send({ ktadmin: 'question', id, question, value: argument }, (error) => {
        waiting.delete(id);
        reject(error);
      });
    });
}
