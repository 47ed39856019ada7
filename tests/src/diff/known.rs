//! The differences that we want, each with its reason and a probe that shows both sides. A probe
//! whose sides answer alike fails: the table cannot go stale.
