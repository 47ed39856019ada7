//! How far long work has come, on standard error, and only when that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A counter that is shown while work goes on, and gone when it ends.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// Begins; `total` is 0 when nobody knows how much there is.
    pub fn start(shown: bool, what: &'static str, total: u64) -> Progress {
        if !shown {
            return Progress(None);
        }
        let form = match total {
            0 => "{spinner} {msg} {pos} ({per_sec})",
            _ => "{msg} [{wide_bar}] {pos}/{len} ({eta})",
        };
        let bar = match total {
            0 => ProgressBar::no_length(),
            _ => ProgressBar::new(total),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        bar.set_style(ProgressStyle::with_template(form).expect("the form is right"));
        bar.set_message(what);
        Progress(Some(bar))
    }

    /// So many more are done.
    pub fn add(&self, count: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(count);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
