//! The interactive shell: the same commands, one session, a place that relative paths begin at,
//! completion of commands and paths, and a history.
//!
//! Standard input that is no terminal is read line by line, without a prompt and a history file; the
//! exit code is then that of the first line that failed.

use std::cell::RefCell;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::{CommandFactory, Parser};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Editor, ExternalPrinter, Helper, Highlighter, Hinter, Validator};

use crate::args::{Cli, Command, Line, double_dash, limit};
use crate::conn::Conn;
use crate::context::{Context, join};
use crate::failure::{Failure, Result, exit};
use crate::follow::{event_line, print_event};
use crate::output::Output;
use crate::words::{quoted, split};

/// Lines that are kept.
const HISTORY_MAX: usize = 2000;

/// Names that completion offers at most: nobody reads more.
const OFFERS_MAX: usize = 200;

/// What completion looks at.
#[derive(Default)]
struct View {
    conn: Option<Rc<Conn>>,
    place: String,
    commands: Vec<String>,
}

#[derive(Helper, Hinter, Highlighter, Validator)]
struct Complete(Rc<RefCell<View>>);

impl Completer for Complete {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(self.0.borrow().offers(&line[..pos]))
    }
}

impl View {
    /// What may stand at the end of a line, and where that begins.
    fn offers(&self, line: &str) -> (usize, Vec<Pair>) {
        let at = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = &line[at..];
        if line[..at].trim().is_empty() {
            let fits = self.commands.iter().filter(|name| name.starts_with(word));
            let pair =
                |name: &String| Pair { display: name.clone(), replacement: format!("{name} ") };
            return (at, fits.map(pair).collect());
        }
        if word.starts_with('-') {
            return (at, Vec::new());
        }
        let cut = word.rfind('/').map_or(0, |at| at + 1);
        let (above, begun) = word.split_at(cut);
        let Some(conn) = &self.conn else { return (at, Vec::new()) };
        // A name that is not there offers nothing; no error may disturb the line.
        let names = conn.children(&join(&self.place, above), false).map(|(names, _)| names);
        let names = names.unwrap_or_default().into_iter().filter(|name| name.starts_with(begun));
        let pair =
            |name: String| Pair { replacement: quoted(&format!("{above}{name}")), display: name };
        (at, names.take(OFFERS_MAX).map(pair).collect())
    }
}

/// The state between lines.
struct Shell {
    history: Vec<String>,
    print_watches: bool,
    output: Output,
    call_timeout_ms: u64,
    first_failure: Option<Failure>,
}

/// shell
pub fn shell(ctx: &mut Context<'_>) -> Result<()> {
    if ctx.place.is_some() {
        return Err(Failure::usage("shell: this is one already"));
    }
    ctx.place = Some("/".to_owned());
    let mut shell = Shell {
        history: Vec::new(),
        print_watches: true,
        output: ctx.printer.output,
        call_timeout_ms: ctx.target.call_timeout_ms,
        first_failure: None,
    };
    // Whoever cannot be reached is told of now, not at the first command.
    ctx.conn()?;
    match std::io::stdin().is_terminal() {
        true => interactive(ctx, &mut shell),
        false => {
            for line in std::io::stdin().lock().lines() {
                if !shell.line(ctx, &line?)? {
                    break;
                }
            }
            shell.first_failure.map_or(Ok(()), |failure| Err(Failure::new(failure.exit, "")))
        }
    }
}

fn history_file() -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("HOME")?).join(".zkctl_history"))
}

fn interactive(ctx: &mut Context<'_>, shell: &mut Shell) -> Result<()> {
    let trouble = |error: ReadlineError| Failure::new(exit::FAILED, format!("terminal: {error}"));
    let names = Cli::command();
    let names = names.get_subcommands().map(|command| command.get_name().to_owned());
    let view = Rc::new(RefCell::new(View { commands: names.collect(), ..View::default() }));
    let config = rustyline::Config::builder()
        .max_history_size(HISTORY_MAX)
        .and_then(|config| config.history_ignore_dups(true))
        .map_err(trouble)?
        .completion_type(rustyline::CompletionType::List)
        .build();
    let mut editor: Editor<Complete, DefaultHistory> =
        Editor::with_config(config).map_err(trouble)?;
    editor.set_helper(Some(Complete(Rc::clone(&view))));
    if let Some(file) = history_file() {
        // The first time there is none.
        let _ = editor.load_history(&file);
    }
    // Where the terminal cannot do it, events wait for the end of the line.
    let above = editor.create_external_printer().ok().map(|printer| Arc::new(Mutex::new(printer)));
    loop {
        shell.tap(ctx, above.as_ref())?;
        shell.print_events(ctx)?;
        let place = ctx.place.clone().unwrap_or_default();
        let server = match ctx.connected() {
            true => ctx.conn()?.servers().to_owned(),
            false => "closed".to_owned(),
        };
        {
            let mut view = view.borrow_mut();
            view.conn = if ctx.connected() { Some(ctx.conn()?) } else { None };
            view.place = place.clone();
        }
        let read = editor.readline(&format!("{server} {place}> "));
        view.borrow_mut().conn = None;
        if ctx.connected() {
            ctx.conn()?.tap(None);
        }
        let line = match read {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(trouble(error)),
        };
        // A password has no place in a file.
        if !line.trim().is_empty() && !line.contains("addauth") {
            let _ = editor.add_history_entry(&line);
        }
        if !shell.line(ctx, &line)? {
            break;
        }
    }
    if let Some(file) = history_file()
        && let Err(error) = editor.save_history(&file)
    {
        eprintln!("zkctl: history {}: {error}", file.display());
    }
    Ok(())
}

impl Shell {
    /// What comes while a line is typed is printed above it.
    fn tap<P: ExternalPrinter + Send + 'static>(
        &self,
        ctx: &mut Context<'_>,
        above: Option<&Arc<Mutex<P>>>,
    ) -> Result<()> {
        let Some(above) = above.filter(|_| ctx.connected()).map(Arc::clone) else { return Ok(()) };
        let (print, json) = (self.print_watches, self.output == Output::Json);
        ctx.conn()?.tap(Some(Box::new(move |event| {
            if let (true, Ok(mut above)) = (print, above.lock()) {
                // A terminal that has gone ends the shell by its next line.
                let _ = above.print(format!("{}\n", event_line(json, event, None)));
            }
        })));
        Ok(())
    }

    /// Watch events that have come since the last look.
    fn print_events(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if !ctx.connected() {
            return Ok(());
        }
        let conn = ctx.conn()?;
        loop {
            match conn.next_event(Duration::ZERO) {
                Ok(Some(event)) if self.print_watches => print_event(ctx, &event, None)?,
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(failure) => {
                    drop(conn);
                    return self.lost(ctx, &failure);
                }
            }
        }
    }

    fn lost(&mut self, ctx: &mut Context<'_>, failure: &Failure) -> Result<()> {
        ctx.drop_conn();
        eprintln!(
            "zkctl: {failure}; the session is lost with its ephemerals and watches, the next \
             command begins another"
        );
        Ok(())
    }

    /// Does a line; false when it was the last.
    fn line(&mut self, ctx: &mut Context<'_>, line: &str) -> Result<bool> {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            return Ok(true);
        }
        self.history.push(line.to_owned());
        let parsed = split(line).map(double_dash).map(Line::try_parse_from);
        let line = match parsed {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => {
                // Help is an answer; what is wrong goes to standard error.
                if error.use_stderr() {
                    self.failed(&Failure::usage(""));
                    eprint!("{error}");
                } else {
                    ctx.printer.text(&error.to_string())?;
                }
                return Ok(true);
            }
            Err(failure) => {
                self.failed(&failure);
                return Ok(true);
            }
        };
        if matches!(line.command, Command::Quit) {
            return Ok(false);
        }
        ctx.stop.store(false, Ordering::Relaxed);
        ctx.started = Instant::now();
        ctx.printer.output = line.output.unwrap_or(self.output);
        ctx.limit = limit(line.timeout).unwrap_or_default();
        let ran = self.command(ctx, &line.command);
        ctx.printer.flush()?;
        ctx.printer.output = self.output;
        ctx.target.call_timeout_ms = self.call_timeout_ms;
        match ran {
            Ok(()) => self.print_events(ctx)?,
            Err(failure) if failure.exit == exit::PIPE => return Err(failure),
            Err(failure) => {
                self.failed(&failure);
                if failure.exit == exit::NOT_REACHED && ctx.connected() {
                    self.lost(ctx, &failure)?;
                }
            }
        }
        Ok(true)
    }

    fn failed(&mut self, failure: &Failure) {
        if !failure.what.is_empty() {
            eprintln!("zkctl: {failure}");
        }
        self.first_failure.get_or_insert_with(|| failure.clone());
    }

    fn command(&mut self, ctx: &mut Context<'_>, command: &Command) -> Result<()> {
        match command {
            Command::Connect(args) => {
                // What is gone already needs no farewell.
                let _ = ctx.close();
                if let Some(servers) = &args.servers {
                    ctx.target.servers = servers.clone();
                }
                ctx.conn().map(|_| ())
            }
            Command::Cd(args) => {
                let path = ctx.path(&args.path)?;
                ctx.conn()?.stat(&path)?;
                ctx.place = Some(path);
                Ok(())
            }
            Command::Pwd => {
                let place = ctx.place.clone().unwrap_or_default();
                ctx.printer.list(vec![serde_json::json!(place)])
            }
            Command::History => {
                let from = self.history.len().saturating_sub(11);
                let lines = self.history.iter().enumerate().skip(from);
                lines
                    .into_iter()
                    .try_for_each(|(at, line)| ctx.printer.line(&format!("{at} - {line}")))
            }
            Command::Redo(args) => self.redo(ctx, args.number),
            Command::Printwatches(args) => {
                match args.to.as_deref() {
                    Some(to) => self.print_watches = to == "on",
                    None => {
                        let is = if self.print_watches { "on" } else { "off" };
                        ctx.printer.line(&format!("printwatches is {is}"))?;
                    }
                }
                Ok(())
            }
            command => crate::run::run(ctx, command),
        }
    }

    fn redo(&mut self, ctx: &mut Context<'_>, number: usize) -> Result<()> {
        // The redo itself stands at the end.
        let last = self.history.len() - 1;
        let Some(line) = self.history[..last].get(number).cloned() else {
            let what = format!("redo {number}: no such line; see history");
            return Err(Failure::usage(what));
        };
        let parsed = split(&line).map(double_dash).map(Line::try_parse_from)?;
        match parsed {
            Ok(line) if matches!(line.command, Command::Redo(_) | Command::Quit) => {
                Err(Failure::usage(format!("redo {number}: neither redo nor quit can be redone")))
            }
            Ok(parsed) => {
                self.history[last] = line;
                self.command(ctx, &parsed.command)
            }
            Err(error) => Err(Failure::usage(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_completed() {
        let names = ["ls", "get", "getAcl"].map(str::to_owned).to_vec();
        let view = View { commands: names, ..View::default() };
        let (at, offers) = view.offers("ge");
        let offers: Vec<String> = offers.into_iter().map(|pair| pair.replacement).collect();
        assert_eq!((at, offers), (0, vec!["get ".to_owned(), "getAcl ".to_owned()]));
        assert!(view.offers("get /a").1.is_empty(), "nothing is known without a session");
    }
}
