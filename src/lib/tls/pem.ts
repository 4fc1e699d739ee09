/** A part of a text that is framed by a BEGIN and an END line. */
export interface Block {
  label: string;
  /** The lines before its content, such as `Proc-Type: 4,ENCRYPTED`. */
  headers: string[];
  /** Undefined where its content is no base64, or its end is missing. */
  bytes: Buffer | undefined;
  /** Where it begins, counted from 1. */
  line: number;
}

/** No label is longer than those which are known; what is, is text. */
const FRAME = /-----BEGIN ([A-Z0-9 #]{1,64})-----((?:(?!-----)[\s\S])*)(-----END \1-----)?/g;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const LINE_END = /\r\n|\r|\n/;

/** A file's text: whatever Windows wrote is read too (hence UTF-16). */
export function textOf(bytes: Buffer): string {
  return bytes[0] === 0xff && bytes[1] === 0xfe ? bytes.toString('utf16le') : bytes.toString('latin1');
}

function contentOf(lines: string[], isEnded: boolean): Buffer | undefined {
  const base64 = lines.join('').replace(/\s/g, '');
  return isEnded && base64 !== '' && BASE64.test(base64) ? Buffer.from(base64, 'base64') : undefined;
}

/** The framed parts of a text; what stands before, between and behind them is passed over. */
export function blocksOf(text: string): Block[] {
  let line = 1;
  let counted = 0;
  return [...text.matchAll(FRAME)].map(({ 1: label = '', 2: body = '', 3: end, index }) => {
    const lines = body.split(LINE_END);
    // A header can go on in lines that begin with a space; behind the last one is an empty line.
    const last = lines.findLastIndex((one) => one.includes(':'));
    const headers = lines.slice(0, last + 1).filter((one) => one !== '');
    line += text.slice(counted, index).split(LINE_END).length - 1;
    counted = index;
    return { label, headers, bytes: contentOf(lines.slice(last + 1), end !== undefined), line };
  });
}

/** Writes a framed part as every program reads it. */
export function toPem(label: string, bytes: Buffer, headers: string[] = []): string {
  const content = bytes.toString('base64').replace(/.{1,64}/g, '$&\n');
  const before = headers.length === 0 ? '' : `${headers.join('\n')}\n\n`;
  return `-----BEGIN ${label}-----\n${before}${content}-----END ${label}-----\n`;
}
