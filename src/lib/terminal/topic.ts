import type { CommandNode } from './command.ts';
import { helpScreen } from './help.ts';

/**
 * The help screen of the program or a topic that is no command itself, where it was asked for and nothing else was typed.
 * It needs no parser, and the parser is half of what such a start would cost. Undefined: parse.
 */
export function topicHelp(root: CommandNode, argv: string[], width: number | undefined): string | undefined {
  const words = argv.filter((word) => !/^(?:-h|--help)$/.test(word));
  let node: CommandNode | undefined = root;
  for (const word of words) node = node?.children.find((child) => child.name === word);
  if (words.length === argv.length || node === undefined) return undefined;
  if (node.children.length === 0 || node.load !== undefined) return undefined;
  return helpScreen({ node, called: [root.name, ...words].join(' ') }, width);
}
