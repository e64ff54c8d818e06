"""Prints a completion script for a shell. To use it:

bash   eval "$(specc completion bash)"                        in ~/.bashrc
zsh    eval "$(specc completion zsh)"                         in ~/.zshrc, after compinit
fish   specc completion fish > ~/.config/fish/completions/specc.fish
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from specc.cli.terminal import Terminal

SUMMARY = "print a completion script for bash, zsh or fish"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.add_argument("-q", "--quiet", action="store_true", help="changes nothing here")


def run(args: Namespace, terminal: Terminal) -> int:
    commands = described()
    terminal.data({"bash": bash, "zsh": zsh, "fish": fish}[args.shell](commands))
    return 0


def described() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Every command with its summary and its long options with theirs."""
    from specc.cli.main import command_names, load_command, parser_of

    found = []
    for name in command_names():
        command = load_command(name)
        options: list[tuple[str, str]] = []
        for action in parser_of(name, command)._actions:
            long = [option for option in action.option_strings if option.startswith("--")]
            options.extend((option, (action.help or "").replace("%%", "%")) for option in long)
        found.append((name, command.SUMMARY, options))
    return found


def bash(commands: list[tuple[str, str, list[tuple[str, str]]]]) -> str:
    cases = "".join(f"    {name}) words='{' '.join(o for o, _ in options)}' ;;\n" for name, _, options in commands)
    return (
        "_specc() {\n"
        "  local current=${COMP_WORDS[COMP_CWORD]} words=''\n"
        "  COMPREPLY=()\n"
        '  if [ "$COMP_CWORD" -eq 1 ]; then\n'
        f"    COMPREPLY=($(compgen -W '{' '.join(name for name, _, _ in commands)}' -- \"$current\"))\n"
        "    return\n"
        "  fi\n"
        '  case "${COMP_WORDS[1]}" in\n'
        f"{cases}"
        "  esac\n"
        '  case "$current" in\n'
        '    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;\n'
        '    *) COMPREPLY=($(compgen -f -- "$current")) ;;\n'
        "  esac\n"
        "}\n"
        "complete -o filenames -F _specc specc\n"
    )


def zsh(commands: list[tuple[str, str, list[tuple[str, str]]]]) -> str:
    listed = "".join(f"    {quoted(f'{name}:{summary}')}\n" for name, summary, _ in commands)
    cases = "".join(
        f"    {name}) options=({' '.join(quoted(option) for option, _ in options)}) ;;\n"
        for name, _, options in commands
    )
    return (
        "#compdef specc\n"
        "_specc() {\n"
        "  local -a commands options\n"
        f"  commands=(\n{listed}  )\n"
        "  if (( CURRENT == 2 )); then\n"
        "    _describe command commands\n"
        "    return\n"
        "  fi\n"
        '  case "${words[2]}" in\n'
        f"{cases}"
        "  esac\n"
        "  [[ $PREFIX == -* ]] && compadd -- $options || _files\n"
        "}\n"
        "compdef _specc specc\n"
    )


def fish(commands: list[tuple[str, str, list[tuple[str, str]]]]) -> str:
    rows = []
    for name, summary, options in commands:
        rows.append(f"complete -c specc -n __fish_use_subcommand -f -a {name} -d {quoted(summary)}\n")
        for option, text in options:
            rows.append(
                f"complete -c specc -n '__fish_seen_subcommand_from {name}' -l {option[2:]} -d {quoted(text)}\n"
            )
    return "".join(rows)


def quoted(text: str) -> str:
    """Between single quotes, as all three shells read them."""
    return "'" + text.replace("'", "'\\''") + "'"
