import type { Command } from "commander";
import { oneOf } from "../training/arguments.ts";
import { action } from "./context.ts";

/** What may follow the words of a command: its subcommands and options, with what they do. */
export interface CommandWords {
  /** "" for the program itself, else " models list". */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly description: string }[];
}

const shells = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** `aimass completion`. */
export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description("print what makes a shell complete commands and options")
    .argument("<shell>", "bash, zsh or fish")
    .addHelpText(
      "after",
      [
        "",
        'bash: eval "$(aimass completion bash)" in ~/.bashrc',
        'zsh:  eval "$(aimass completion zsh)" in ~/.zshrc, after compinit',
        "fish: aimass completion fish > ~/.config/fish/completions/aimass.fish",
      ].join("\n"),
    )
    .action(
      action(async (_context, _options, [name]) => {
        const shell = oneOf("the shell", name as string, Object.keys(shells) as (keyof typeof shells)[]);
        process.stdout.write(shells[shell](commandWords(program)));
      }),
    );
}

/** The words of every command, from the program down. */
export function commandWords(program: Command): CommandWords[] {
  const everywhere = program.options.flatMap(({ long, description }) => (long ? [{ word: long, description }] : []));
  const of = (command: Command, path: string): CommandWords[] => [
    {
      path,
      words: [
        ...command.commands.map((child) => ({ word: child.name(), description: child.description() })),
        ...(command === program ? [] : command.options).flatMap(({ long, description }) =>
          long ? [{ word: long, description }] : [],
        ),
        ...everywhere,
        { word: "--help", description: "display help for command" },
      ],
    },
    ...command.commands.flatMap((child) => of(child, `${path} ${child.name()}`)),
  ];
  return of(program, "");
}

/** The names of commands and options are letters, digits and "-": they need no quotes. */
function listOf({ words }: CommandWords): string {
  return words.map(({ word }) => word).join(" ");
}

function knownPaths(commands: readonly CommandWords[]): string[] {
  return commands.map(({ path }) => path).filter((path) => path !== "");
}

export function bashScript(commands: readonly CommandWords[]): string {
  return `_aimass() {
  local path= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
      ${knownPaths(commands)
        .map((path) => `"${path}"`)
        .join(" | ")}) path="$path \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path" in
${commands.map((each) => `    "${each.path}") COMPREPLY=($(compgen -W "${listOf(each)}" -- "\${COMP_WORDS[COMP_CWORD]}")) ;;`).join("\n")}
  esac
}
complete -o default -F _aimass aimass
`;
}

export function zshScript(commands: readonly CommandWords[]): string {
  return `#compdef aimass
_aimass() {
  local so_far= word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$so_far $word" in
      (${knownPaths(commands)
        .map((path) => `"${path}"`)
        .join("|")}) so_far="$so_far $word" ;;
    esac
  done
  case "$so_far" in
${commands.map((each) => `    ("${each.path}") compadd -- ${listOf(each)} ;;`).join("\n")}
  esac
  _files
}
compdef _aimass aimass
`;
}

export function fishScript(commands: readonly CommandWords[]): string {
  const known = knownPaths(commands).map((path) => `'${path}'`);
  const line = (path: string, { word, description }: CommandWords["words"][number]) => {
    const what = word.startsWith("--") ? `-l ${word.slice(2)}` : `-a ${word}`;
    return `complete -c aimass -n "__aimass_at '${path}'" ${what} -d '${description.replace(/[\\']/g, "\\$&")}'`;
  };
  return `function __aimass_at
  set -l so_far ''
  for word in (commandline -opc)[2..-1]
    if contains -- "$so_far $word" ${known.join(" ")}
      set so_far "$so_far $word"
    end
  end
  test "$so_far" = "$argv[1]"
end
${commands.flatMap(({ path, words }) => words.map((word) => line(path, word))).join("\n")}
`;
}
