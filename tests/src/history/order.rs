//! One znode, the operations on it, and the search for an order of these that fits real time.

use std::collections::HashMap;

use zk_wire::Code;

/// What a znode may end by, without a request for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    Nobody,
    Session(i64),
    /// The number of the operation that made the container.
    Container(usize),
}

/// A znode, as far as it is looked at here. Data by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Node {
    data: usize,
    version: i32,
    owner: Owner,
}

type State = Option<Node>;

#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Create {
        data: usize,
        owner: Owner,
    },
    Delete {
        version: i32,
    },
    Set {
        data: usize,
        version: i32,
    },
    Check {
        version: i32,
    },
    /// A session ends, or a container is reaped: what it owns goes.
    Ends(Owner),
    /// What was seen: the version, and the data if that was asked for.
    Read(Option<(i32, Option<usize>)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Unknown,
    /// Done; the version that the answer showed.
    Done(Option<i32>),
    Failed(Code),
    /// It changed nothing, and says no more than that.
    Nothing,
}

/// An operation between two places of the record. One without an end may never have been done.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub acts: Vec<(Act, Outcome)>,
    pub from: usize,
    pub to: usize,
}

pub(super) const NEVER: usize = usize::MAX;

fn fits(version: i32, node: &Node) -> bool {
    version == -1 || version == node.version
}

/// The state behind an act that was done; `None` when it cannot have been.
fn done(state: State, act: Act, shown: Option<i32>) -> Option<State> {
    let next = match (act, state) {
        (Act::Create { data, owner }, None) => Some(Node { data, version: 0, owner }),
        (Act::Delete { version }, Some(node)) if fits(version, &node) => None,
        (Act::Set { data, version }, Some(node)) if fits(version, &node) => {
            Some(Node { data, version: node.version.wrapping_add(1), ..node })
        }
        (Act::Check { version }, Some(node)) if fits(version, &node) => state,
        (Act::Ends(owner), _) => state.filter(|node| node.owner != owner),
        (Act::Read(seen), _) => {
            let same = match (seen, state) {
                (None, None) => true,
                (Some((version, data)), Some(node)) => {
                    version == node.version && data.is_none_or(|data| data == node.data)
                }
                _ => false,
            };
            return same.then_some(state);
        }
        _ => return None,
    };
    let told = shown.is_none_or(|shown| next.is_some_and(|node| node.version == shown));
    told.then_some(next)
}

/// Whether a failure is what this state leads to.
fn fails(state: State, act: Act, code: Code) -> bool {
    match (code, act) {
        (Code::NODE_EXISTS, _) | (Code::NOT_EMPTY, _) => state.is_some(),
        // Of a create it is the parent that is missing.
        (Code::NO_NODE, Act::Create { .. }) => true,
        (Code::NO_NODE, _) => state.is_none(),
        (Code::BAD_VERSION, Act::Delete { version })
        | (Code::BAD_VERSION, Act::Set { version, .. })
        | (Code::BAD_VERSION, Act::Check { version }) => {
            state.is_some_and(|node| !fits(version, &node))
        }
        _ => true,
    }
}

impl Operation {
    fn step(&self, state: State) -> Option<State> {
        let mut now = state;
        for (act, outcome) in &self.acts {
            match outcome {
                Outcome::Done(shown) => now = done(now, *act, *shown)?,
                // All of it or nothing.
                Outcome::Unknown => match done(now, *act, None) {
                    Some(next) => now = next,
                    None => return Some(state),
                },
                Outcome::Failed(code) if !fails(now, *act, *code) => return None,
                Outcome::Failed(_) | Outcome::Nothing => {}
            }
        }
        Some(now)
    }
}

/// Calls and returns in the order of the record, as a list from which operations are taken and put
/// back. Two places for each operation; the last place is the end.
struct Line {
    places: Vec<(usize, bool)>,
    next: Vec<usize>,
    before: Vec<usize>,
    /// The places of an operation's call and return.
    of: Vec<(usize, Option<usize>)>,
}

impl Line {
    fn of(operations: &[Operation]) -> Line {
        let mut sorted: Vec<(usize, bool, usize)> = Vec::new();
        for (number, operation) in operations.iter().enumerate() {
            sorted.push((operation.from, true, number));
            if operation.to != NEVER {
                sorted.push((operation.to, false, number));
            }
        }
        sorted.sort_unstable_by_key(|(at, call, number)| (*at, !*call, *number));
        // The place 0 is the head, and the last one the end.
        let mut places = vec![(0, true)];
        let mut of = vec![(0, None); operations.len()];
        for (_, call, number) in sorted {
            match call {
                true => of[number].0 = places.len(),
                false => of[number].1 = Some(places.len()),
            }
            places.push((number, call));
        }
        let end = places.len();
        let next = (1..=end).collect();
        let before = (0..=end).map(|at| at.saturating_sub(1)).collect();
        Line { places, next, before, of }
    }

    fn take(&mut self, number: usize) {
        let (call, to) = self.of[number];
        for at in [Some(call), to].into_iter().flatten() {
            let (before, next) = (self.before[at], self.next[at]);
            self.next[before] = next;
            self.before[next] = before;
        }
    }

    fn put_back(&mut self, number: usize) {
        let (call, to) = self.of[number];
        for at in [to, Some(call)].into_iter().flatten() {
            let (before, next) = (self.before[at], self.next[at]);
            self.next[before] = at;
            self.before[next] = at;
        }
    }
}

/// Sets of operations, a bit for each.
type Bits = Vec<u64>;

fn set(bits: &mut Bits, number: usize, on: bool) {
    let bit = 1 << (number % 64);
    match on {
        true => bits[number / 64] |= bit,
        false => bits[number / 64] &= !bit,
    }
}

/// Where the search has been: which answered operations had their place, in which state, and with
/// which of those that nobody answered. Who has used fewer of these has every way open that another
/// one has.
#[derive(Default)]
struct Seen(HashMap<(Bits, State), Vec<Bits>>);

impl Seen {
    /// Enters a place. False when one as good was there.
    fn enter(&mut self, answered: &Bits, state: State, pending: &Bits) -> bool {
        let known = self.0.entry((answered.clone(), state)).or_default();
        let within = |less: &Bits, more: &Bits| less.iter().zip(more).all(|(a, b)| a & !b == 0);
        if known.iter().any(|less| within(less, pending)) {
            return false;
        }
        known.retain(|more| !within(pending, more));
        known.push(pending.clone());
        true
    }
}

/// A place in the search.
struct Frame {
    /// What may come next, and how many of these were tried.
    candidates: Vec<usize>,
    tried: usize,
    state: State,
    /// What led here.
    by: Option<usize>,
}

impl Line {
    /// What may have its place next: what was called before the first answer that is left. Those that
    /// nobody answered come last, as they need no place.
    fn candidates(&self, operations: &[Operation]) -> Vec<usize> {
        let (mut answered, mut pending) = (Vec::new(), Vec::new());
        let mut at = self.next[0];
        while let Some((number, true)) = self.places.get(at).copied() {
            let list = if operations[number].to == NEVER { &mut pending } else { &mut answered };
            list.push(number);
            at = self.next[at];
        }
        answered.append(&mut pending);
        answered
    }
}

/// Whether some order of the operations fits; `None` when that was not found out in so many steps.
pub(super) fn is_linearizable(operations: &[Operation], steps_max: usize) -> Option<bool> {
    let mut line = Line::of(operations);
    let mut left = operations.iter().filter(|operation| operation.to != NEVER).count();
    let words = operations.len().div_ceil(64);
    let mut taken = [vec![0u64; words], vec![0u64; words]];
    let (mut seen, mut steps) = (Seen::default(), 0);
    let first = line.candidates(operations);
    let mut stack = vec![Frame { candidates: first, tried: 0, state: None, by: None }];
    while left > 0 {
        steps += 1;
        // Every way was tried: something was wrong.
        let Some(frame) = stack.last_mut() else { return Some(false) };
        let state = frame.state;
        let Some(number) = frame.candidates.get(frame.tried).copied() else {
            if let Some(number) = stack.pop().and_then(|frame| frame.by) {
                let pending = operations[number].to == NEVER;
                set(&mut taken[usize::from(pending)], number, false);
                line.put_back(number);
                left += usize::from(!pending);
            }
            continue;
        };
        if steps > steps_max {
            return None;
        }
        frame.tried += 1;
        let pending = operations[number].to == NEVER;
        // Who was never answered need not have been heard: without an effect it says nothing.
        let next = operations[number].step(state).filter(|next| !pending || *next != state);
        let Some(next) = next else { continue };
        set(&mut taken[usize::from(pending)], number, true);
        if !seen.enter(&taken[0], next, &taken[1]) {
            set(&mut taken[usize::from(pending)], number, false);
            continue;
        }
        line.take(number);
        left -= usize::from(!pending);
        let candidates = line.candidates(operations);
        stack.push(Frame { candidates, tried: 0, state: next, by: Some(number) });
    }
    Some(true)
}
