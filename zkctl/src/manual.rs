//! Completions for shells, and the man page, both made from the table of commands.

use clap::CommandFactory;

use crate::args::Cli;
use crate::context::Context;
use crate::failure::{EXIT_CODES, Result};

/// Prints completions for a shell.
#[derive(Clone, Debug, clap::Args)]
pub struct Completions {
    /// bash, zsh, fish, elvish or powershell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// completions
pub fn completions(ctx: &mut Context<'_>, args: &Completions) -> Result<()> {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "zkctl", &mut out);
    ctx.printer.bytes(&out)
}

/// man
pub fn man(ctx: &mut Context<'_>) -> Result<()> {
    let page = page()?;
    ctx.printer.bytes(&page)
}

/// The man page: the program, then each command with its options.
pub fn page() -> Result<Vec<u8>> {
    let mut command = Cli::command().term_width(100);
    command.build();
    let man = clap_mangen::Man::new(command.clone()).manual("ZooKeeper").section("1");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    out.extend_from_slice(b".SH COMMANDS\n");
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        section(&mut out, sub, "");
    }
    out.extend_from_slice(b".SH EXIT STATUS\n.nf\n");
    for line in EXIT_CODES.lines().skip(1) {
        out.extend_from_slice(escape(line).as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(
        b".fi\n.SH ENVIRONMENT\n.TP\n\\fBZKCTL_SERVERS\\fR\nThe servers, when \\fB\\-s\\fR is not given.\n\
          .TP\n\\fBZKCTL_AUTH\\fR\nAn identity, when \\fB\\-\\-auth\\fR is not given.\n\
          .SH FILES\n.TP\n\\fB~/.zkctl_history\\fR\nThe lines of the shell, readable by their owner only.\n",
    );
    Ok(out)
}

/// What roff must not take for a command.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('-', "\\-");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

fn section(out: &mut Vec<u8>, command: &clap::Command, above: &str) {
    let name = format!("{above}{}", command.get_name());
    if command.has_subcommands() && command.get_name() != "help" {
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            section(out, sub, &format!("{name} "));
        }
        return;
    }
    if command.get_name() == "help" {
        return;
    }
    let mut usage = String::new();
    for arg in command.get_positionals() {
        let value = arg.get_value_names().and_then(|names| names.first());
        let value = value.map_or_else(|| arg.get_id().to_string(), ToString::to_string);
        let more = if arg.get_num_args().is_some_and(|n| n.max_values() > 1) { "..." } else { "" };
        usage.push_str(&match arg.is_required_set() {
            true => format!(" {value}{more}"),
            false => format!(" [{value}{more}]"),
        });
    }
    let mut text = format!(".SS {}{}\n", escape(&name), escape(&usage));
    if let Some(about) = command.get_about() {
        text.push_str(&format!("{}\n", escape(&about.to_string())));
    }
    let own = |arg: &&clap::Arg| {
        !arg.is_positional() && !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help"
    };
    for arg in command.get_arguments().filter(own) {
        let short = arg.get_short().map(|c| format!("-{c}"));
        let long = arg.get_long().map(|name| format!("--{name}"));
        let names: Vec<String> = [short, long].into_iter().flatten().collect();
        let value = match arg.get_action().takes_values() {
            false => String::new(),
            true => arg
                .get_value_names()
                .and_then(|names| names.first())
                .map_or_else(String::new, |name| format!(" \\fI{}\\fR", escape(name))),
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let names = escape(&names.join(", "));
        text.push_str(&format!(".TP\n\\fB{names}\\fR{value}\n{}\n", escape(&help)));
    }
    out.extend_from_slice(text.as_bytes());
}
