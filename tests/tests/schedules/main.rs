//! Adversarial schedules, scripted on the simulator: one test for each, by its number.
//!
//! What must hold is looked at after every step; a script only says what happens. Groups: `a` crash
//! points, `b` bugs of others, `c` elections and clocks, `d` broadcast, `e` reconfiguration, `f` peers of
//! other versions. Where a peer of another make is needed it is played by the script.

mod a_crash_points;
mod b_played_peers;
mod b_regressions;
mod c_elections;
mod c_votes;
mod d_broadcast;
mod e_reconfig;
mod f_versions;
mod h_groups;
mod i_twins;
