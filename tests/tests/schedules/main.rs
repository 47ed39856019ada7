//! Adversarial schedules, scripted on the simulator: one test for each, by its number.
//!
//! What must hold is looked at after every step; a script only says what happens. Groups: `a` crash
//! points, `b` bugs of others, `c` elections and clocks, `d` broadcast.

mod a_crash_points;
mod b_regressions;
mod c_elections;
mod d_broadcast;
